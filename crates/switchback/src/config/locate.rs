//! Where the configuration is, and what of the world around it is looked at.

use std::io;
use std::path::{Path, PathBuf};

use super::error::LoadError;

/// What reading a configuration needs of the world. Tests give one of their own.
pub(crate) trait Surroundings {
    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;
    /// The text of a file.
    fn read(&self, path: &Path) -> io::Result<String>;
    /// Whether a file is there.
    fn is_file(&self, path: &Path) -> bool;
    /// The working directory, if it is known.
    fn working_directory(&self) -> Option<PathBuf>;
    /// Whether everybody may write into a folder, so that a file there is nobody's word.
    fn is_world_writable(&self, folder: &Path) -> bool;
}

/// The world itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RealWorld;

impl Surroundings for RealWorld {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        fs_err::read_to_string(path)
    }

    fn is_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn working_directory(&self) -> Option<PathBuf> {
        std::env::current_dir().ok()
    }

    fn is_world_writable(&self, folder: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt as _;
        // A folder that cannot be looked at is not trusted either.
        fs_err::metadata(folder).map_or(true, |data| data.permissions().mode() & 0o002 != 0)
    }
}

/// A configuration file that was found or named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    /// The file, absolute where the working directory is known.
    pub(crate) path: PathBuf,
    /// As `--config` named it; then each printed command names it too.
    pub(crate) flag: Option<PathBuf>,
}

const NAME: &str = "switchback.toml";

/// Finds the configuration: what `--config` names, else `$SWITCHBACK_CONFIG`, else the first that
/// is there of `./switchback.toml`, the user's and the system's. What is named need not exist.
pub(crate) fn locate(flag: Option<&Path>, world: &dyn Surroundings) -> Result<Location, LoadError> {
    if let Some(location) = named(flag, world) {
        return Ok(location);
    }
    let mut looked_for = Vec::new();
    for (path, passed_by) in usual_places(world) {
        if passed_by {
            let why = "passed by, because everybody may write into its folder";
            looked_for.push(format!("{} ({why})", path.display()));
        } else if world.is_file(&path) {
            return Ok(Location { path, flag: None });
        } else {
            looked_for.push(path.display().to_string());
        }
    }
    Err(LoadError::NotFound { looked_for })
}

/// Where a new configuration belongs: what is named, else the first usual place that may be used.
pub(crate) fn place_for_new(flag: Option<&Path>, world: &dyn Surroundings) -> Location {
    named(flag, world).unwrap_or_else(|| {
        let usual = usual_places(world).into_iter().find(|(_, passed_by)| !passed_by);
        Location { path: usual.map_or_else(|| PathBuf::from(NAME), |(path, _)| path), flag: None }
    })
}

fn named(flag: Option<&Path>, world: &dyn Surroundings) -> Option<Location> {
    let here = world.working_directory().unwrap_or_default();
    if let Some(flag) = flag {
        return Some(Location { path: here.join(flag), flag: Some(flag.to_path_buf()) });
    }
    let variable = world.variable("SWITCHBACK_CONFIG").filter(|path| !path.is_empty())?;
    Some(Location { path: here.join(variable), flag: None })
}

/// In their order, each with whether it must be passed by.
fn usual_places(world: &dyn Surroundings) -> Vec<(PathBuf, bool)> {
    let mut places = Vec::new();
    if let Some(here) = world.working_directory() {
        places.push((here.join(NAME), world.is_world_writable(&here)));
    }
    let home = || world.variable("HOME").map(|home| Path::new(&home).join(".config"));
    // The XDG specification has relative paths ignored.
    let user =
        world.variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(folder) = user.or_else(home) {
        places.push((folder.join("switchback").join(NAME), false));
    }
    places.push((Path::new("/etc/switchback").join(NAME), false));
    places
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A world of a few files and variables.
    #[derive(Debug, Default)]
    pub(crate) struct SmallWorld {
        pub(crate) variables: BTreeMap<&'static str, &'static str>,
        pub(crate) files: BTreeMap<&'static str, &'static str>,
        pub(crate) world_writable: bool,
    }

    impl Surroundings for SmallWorld {
        fn variable(&self, name: &str) -> Option<String> {
            self.variables.get(name).map(|value| (*value).to_owned())
        }

        fn read(&self, path: &Path) -> io::Result<String> {
            let text = self.files.get(path.to_str().unwrap_or_default());
            text.map(|text| (*text).to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
        }

        fn is_file(&self, path: &Path) -> bool {
            self.read(path).is_ok()
        }

        fn working_directory(&self) -> Option<PathBuf> {
            Some(PathBuf::from("/work-here"))
        }

        fn is_world_writable(&self, _: &Path) -> bool {
            self.world_writable
        }
    }

    fn everywhere() -> SmallWorld {
        SmallWorld {
            variables: BTreeMap::from([
                ("SWITCHBACK_CONFIG", "/by/variable"),
                ("HOME", "/home/ann"),
            ]),
            files: BTreeMap::from([
                ("/work-here/switchback.toml", ""),
                ("/home/ann/.config/switchback/switchback.toml", ""),
                ("/etc/switchback/switchback.toml", ""),
            ]),
            world_writable: false,
        }
    }

    fn found(flag: Option<&str>, world: &SmallWorld) -> String {
        locate(flag.map(Path::new), world).unwrap().path.display().to_string()
    }

    #[test]
    fn each_place_gives_way_to_the_one_before_it() {
        let mut world = everywhere();
        assert_eq!(found(Some("x.toml"), &world), "/work-here/x.toml");
        assert_eq!(found(None, &world), "/by/variable");
        world.variables.remove("SWITCHBACK_CONFIG");
        assert_eq!(found(None, &world), "/work-here/switchback.toml");
        world.files.remove("/work-here/switchback.toml");
        assert_eq!(found(None, &world), "/home/ann/.config/switchback/switchback.toml");
        world.variables.insert("XDG_CONFIG_HOME", "relative/is/ignored");
        assert_eq!(found(None, &world), "/home/ann/.config/switchback/switchback.toml");
        world.variables.insert("XDG_CONFIG_HOME", "/xdg");
        assert_eq!(found(None, &world), "/etc/switchback/switchback.toml");
    }

    #[test]
    fn a_file_in_a_folder_of_everybody_is_passed_by_and_said_so() {
        let mut world = SmallWorld { world_writable: true, ..everywhere() };
        world.variables.remove("SWITCHBACK_CONFIG");
        assert_eq!(found(None, &world), "/home/ann/.config/switchback/switchback.toml");
        world.files = BTreeMap::from([("/work-here/switchback.toml", "")]);
        let error = locate(None, &world).unwrap_err().to_string();
        assert!(error.contains("/work-here/switchback.toml (passed by"), "{error}");
        assert_eq!(
            place_for_new(None, &world).path,
            Path::new("/home/ann/.config/switchback/switchback.toml")
        );
    }

    #[test]
    fn only_a_file_named_by_the_flag_is_named_in_commands() {
        let world = everywhere();
        assert_eq!(locate(Some(Path::new("x")), &world).unwrap().flag, Some(PathBuf::from("x")));
        assert_eq!(locate(None, &world).unwrap().flag, None);
    }
}
