//! Builds the keeper as a static program, so that it can be embedded and imported as an image.
//!
//! A nested cargo does it, in a target directory of its own: it shares no build lock with the
//! cargo that waits for this script, and finds its own earlier work again.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Settings of the outer build that must not reach the inner one: where it writes, with which
/// flags and wrappers (clippy is one) it compiles, and what it says about this package.
const NOT_INHERITED: [&str; 17] = [
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_PROFILE_",
    "CARGO_CFG_",
    "CARGO_FEATURE_",
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_UNSTABLE_",
    "CARGO_LLVM_COV",
    "RUSTFLAGS",
    "RUSTDOCFLAGS",
    "RUSTC",
    "CLIPPY_",
    "LLVM_PROFILE_FILE",
    "PROFILE",
    "OUT_DIR",
];

fn main() {
    let outside = Surroundings::read();
    println!("cargo::rerun-if-changed=build.rs");
    for path in outside.sources() {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    let built = outside.build();
    let embedded = outside.out.join("keeper.bin");
    if let Err(error) = std::fs::copy(&built, &embedded) {
        panic!("cannot copy {} to {}: {error}", built.display(), embedded.display());
    }
    println!("cargo::rustc-env=SWITCHBACK_KEEPER={}", embedded.display());
}

/// Where and for what we build.
struct Surroundings {
    workspace: PathBuf,
    keeper: PathBuf,
    out: PathBuf,
    target: String,
    cargo: OsString,
}

impl Surroundings {
    fn read() -> Self {
        let variable =
            |name: &str| env::var_os(name).unwrap_or_else(|| panic!("cargo has not set {name}"));
        let target = variable("TARGET").into_string().unwrap_or_default();
        assert!(target.contains("linux"), "the keeper runs on Linux engines, not on {target}");
        let here = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
        let keeper = here.with_file_name("switchback-keeper");
        let workspace = here.ancestors().nth(2).map(Path::to_path_buf).unwrap_or(here);
        Self {
            workspace,
            keeper,
            out: PathBuf::from(variable("OUT_DIR")),
            target,
            cargo: variable("CARGO"),
        }
    }

    /// What the keeper is made of. The lock file moves its dependencies.
    fn sources(&self) -> [PathBuf; 4] {
        [
            self.keeper.join("src"),
            self.keeper.join("Cargo.toml"),
            self.workspace.join("Cargo.toml"),
            self.workspace.join("Cargo.lock"),
        ]
    }

    fn build(&self) -> PathBuf {
        let directory = self.out.join("keeper");
        let mut command = Command::new(&self.cargo);
        for (name, _) in env::vars_os() {
            let inherited = name
                .to_str()
                .is_some_and(|name| !NOT_INHERITED.iter().any(|start| name.starts_with(start)));
            if !inherited {
                command.env_remove(&name);
            }
        }
        command
            .current_dir(&self.workspace)
            .args(["build", "--release", "--locked", "--package", "switchback-keeper", "--bin"])
            .args(["switchback-keeper", "--target", &self.target, "--target-dir"])
            .arg(&directory)
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags())
            // A build directory that a configuration file shares would share its lock too.
            .env("CARGO_BUILD_BUILD_DIR", &directory)
            // It is embedded in every Switchback, so size counts more than build time.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s")
            .env("CARGO_PROFILE_RELEASE_LTO", "fat")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
            .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
            .env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
        match command.status() {
            Ok(status) if status.success() => {}
            Ok(status) => panic!("building the keeper ended with {status}; see above"),
            Err(error) => panic!("cannot start cargo to build the keeper: {error}"),
        }
        directory.join(&self.target).join("release").join("switchback-keeper")
    }

    /// Static, and without the paths of the machine that builds: the image is named by the hash
    /// of the program, which must be the same from every checkout.
    fn flags(&self) -> String {
        let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned()];
        let home = env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
        for (path, name) in [(Some(self.workspace.clone()), "switchback"), (home, "cargo")] {
            if let Some(path) = path {
                flags.push(format!("--remap-path-prefix={}=/{name}", path.display()));
            }
        }
        // Cargo splits this variable at the unit separator, so that a path may hold spaces.
        flags.join("\u{1f}")
    }
}
