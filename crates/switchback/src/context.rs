//! What the words of the command line mean: configuration, store, printer, registries.

use std::{
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
};

use switchback_core::{Interrupt, event::Event};
use switchback_targets::registry::{Client, Credentials, install_crypto_provider, warm_up};
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    cli::{Global, OutputFormat},
    config::{self, Config, Deployment, Location, RealWorld, locate},
    display::typed,
    error::CommandError,
    exit_code::ExitCode,
    notice,
    operate::{Answer, Surroundings, who::Who},
    printer::{Colors, Output, Printer, Wishes},
    store::{Mode, Store, StoreError},
};

/// An operation is under way, which a first signal takes back.
static BUSY: AtomicBool = AtomicBool::new(false);

/// The exit code of the signal that came, or 0.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// Remembers which signal came.
pub fn note_signal(code: i32) {
    SIGNAL.store(code, Ordering::SeqCst);
}

/// Whether an operation is under way.
pub fn is_busy() -> bool {
    BUSY.load(Ordering::SeqCst)
}

/// The exit code of an interrupted operation.
pub fn signal_exit_code() -> ExitCode {
    if SIGNAL.load(Ordering::SeqCst) == 143 { ExitCode::Terminated } else { ExitCode::Interrupted }
}

/// Says that an operation is under way for as long as it is kept.
#[derive(Debug)]
pub struct Busy(());

impl Busy {
    /// From now on a first signal takes the operation back.
    pub fn begin() -> Self {
        BUSY.store(true, Ordering::SeqCst);
        Self(())
    }
}

/// Says that nothing is under way for as long as it is kept: a person is being asked.
#[derive(Debug)]
pub struct Asking(bool);

impl Asking {
    /// From now on a first signal ends the program.
    pub fn begin() -> Self {
        Self(BUSY.swap(false, Ordering::SeqCst))
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        BUSY.store(self.0, Ordering::SeqCst);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.store(false, Ordering::SeqCst);
    }
}

/// What every command gets. What a command does not ask for is not read.
#[derive(Debug)]
pub struct Context {
    /// The flags.
    pub global: Global,
    /// Where to print.
    pub printer: Printer,
    /// Asks us to stop.
    pub interrupt: Interrupt,
    registry: OnceLock<Client>,
    /// How often the registry may be asked for a newer Switchback, once the configuration was read.
    notice_interval: OnceLock<Option<std::time::Duration>>,
}

impl Context {
    /// The meaning of the flags.
    pub fn new(global: Global, interrupt: Interrupt) -> Self {
        let output = match global.output {
            OutputFormat::Text => Output::Text,
            OutputFormat::Json => Output::Json,
            OutputFormat::Ndjson => Output::Ndjson,
        };
        typed::remember(&global);
        let colors = if global.no_color { Colors::Never } else { Colors::Auto };
        let wishes = Wishes { output, quiet: global.quiet, verbose: global.verbose, colors };
        let printer = Printer::standard(wishes);
        Self {
            global,
            printer,
            interrupt,
            registry: OnceLock::new(),
            notice_interval: OnceLock::new(),
        }
    }

    /// Whether nobody wants to be asked.
    pub(crate) fn assumes_yes(&self) -> bool {
        self.global.yes || self.global.force
    }

    /// Where the configuration is.
    pub(crate) fn location(&self) -> Answer<Location> {
        Ok(locate(self.global.config.as_deref(), &RealWorld)?)
    }

    /// The configuration; its warnings are printed.
    pub(crate) fn config(&self) -> Answer<Config> {
        let config = Config::load(&self.location()?, &RealWorld)?;
        let interval = config.notice_interval_ms.map(std::time::Duration::from_millis);
        let _known = self.notice_interval.set(interval);
        for warning in &config.warnings {
            self.warn(warning);
        }
        Ok(config)
    }

    /// Prints what is allowed in a configuration and probably not meant.
    pub(crate) fn warn(&self, warning: &config::Warning) {
        let line = format!(
            "{}: {}   (to fix, run: {})",
            warning.field, warning.message, warning.fix_command
        );
        self.printer.warning(&line);
    }

    /// The store's folder.
    pub(crate) fn state_folder(&self, config: Option<&Config>) -> PathBuf {
        let variable =
            |key: &str| std::env::var_os(key).filter(|it| !it.is_empty()).map(PathBuf::from);
        if let Some(folder) = &self.global.state {
            return folder.clone();
        }
        if let Some(folder) = config.and_then(|it| it.state.clone()) {
            return folder;
        }
        if rustix::process::getuid().is_root() {
            return PathBuf::from("/var/lib/switchback");
        }
        let home = variable("HOME").unwrap_or_else(|| PathBuf::from("."));
        variable("XDG_STATE_HOME").unwrap_or_else(|| home.join(".local/state")).join("switchback")
    }

    /// The store, made if it is not there.
    pub(crate) fn store(&self, config: Option<&Config>) -> Answer<Store> {
        Ok(Store::open(&self.state_folder(config), Mode::CreateParents)?)
    }

    /// The store for a command that only reads it. Also one that cannot be written is read; that is
    /// said, because what is shown may be old.
    pub(crate) fn store_to_read(&self, config: Option<&Config>) -> Answer<Store> {
        let folder = self.state_folder(config);
        let refused = match Store::open(&folder, Mode::CreateParents) {
            Err(refused @ (StoreError::ReadOnly { .. } | StoreError::Denied { .. })) => refused,
            opened => return Ok(opened?),
        };
        let store =
            Store::open(&folder, Mode::ReadOnly).map_err(|_| CommandError::from(&refused))?;
        self.printer.warning(&format!("the store is only read: {refused}"));
        Ok(store)
    }

    /// Registries; one client a process, made when it is first asked for.
    pub fn registry(&self) -> Answer<&Client> {
        if let Some(client) = self.registry.get() {
            return Ok(client);
        }
        install_crypto_provider();
        warm_up();
        let client = Client::new(Credentials::from_environment());
        Ok(self.registry.get_or_init(|| client))
    }

    /// What operations need.
    pub(crate) fn surroundings<'a>(
        &'a self,
        store: &'a Store,
        events: UnboundedSender<Event>,
    ) -> Answer<Surroundings<'a>> {
        let (registry, interrupt) = (self.registry()?, self.interrupt.clone());
        Ok(Surroundings { store, registry, who: Who::of_this_process(), events, interrupt })
    }

    /// How long to wait for another operation on the same target, in milliseconds.
    pub(crate) fn lock_timeout_ms(&self) -> Answer<u64> {
        let text = &self.global.lock_timeout;
        switchback_targets::container::run::parse_duration_ms(text).map_err(|problem| {
            CommandError::new("usage", format!("--lock-timeout: {problem}"))
                .hint("switchback --help   # a time is written as 90s or 5m")
        })
    }

    /// Tells of a newer Switchback, at the end of a command and only to people.
    pub fn say_notice(&self) {
        if !self.printer.welcomes_notices() {
            return;
        }
        // Also a command that needs no configuration keeps to what is said there.
        let interval = match self.notice_interval.get() {
            Some(known) => *known,
            None => self
                .location()
                .ok()
                .and_then(|it| Config::load(&it, &RealWorld).ok())
                .map_or(Some(notice::INTERVAL_DEFAULT), |it| {
                    it.notice_interval_ms.map(std::time::Duration::from_millis)
                }),
        };
        let reasons = notice::Reasons::of_this_process(true, interval.is_some());
        let setting = notice::Setting::of_this_process(interval.unwrap_or_default());
        if let Some(text) = notice::at_end(reasons, &setting, crate::operate::now()) {
            self.printer.note(&text);
        }
    }
}

/// The deployments that a command is about, by their names; none means all.
pub(crate) fn chosen<'a>(config: &'a Config, names: &[String]) -> Answer<Vec<&'a Deployment>> {
    if names.is_empty() {
        return Ok(config.deployments.values().collect());
    }
    names.iter().map(|name| named(config, name)).collect()
}

/// The one deployment that a command is about; its name may be left out where there is only one.
pub(crate) fn only<'a>(config: &'a Config, name: Option<&str>) -> Answer<&'a Deployment> {
    match (name, config.deployments.len()) {
        (Some(name), _) => named(config, name),
        (None, 1) => config.deployments.values().next().ok_or_else(|| unknown(config, "")),
        (None, 0) => {
            Err(CommandError::new("not_found", "no deployment is configured")
                .hint("switchback init"))
        }
        (None, _) => {
            let names: Vec<&str> = config.deployments.keys().map(String::as_str).collect();
            let message = format!("name one of the deployments: {}", names.join(", "));
            Err(CommandError::new("usage", message).hint("switchback status   # lists them"))
        }
    }
}

fn named<'a>(config: &'a Config, name: &str) -> Answer<&'a Deployment> {
    if config.fleets.contains_key(name.split('/').next().unwrap_or(name)) {
        let message = format!("{name} is a fleet: fleets are not supported yet");
        return Err(
            CommandError::new("usage", message).hint("switchback status   # lists deployments")
        );
    }
    config.deployments.get(name).ok_or_else(|| unknown(config, name))
}

fn unknown(config: &Config, name: &str) -> CommandError {
    let near = config
        .deployments
        .keys()
        .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)))
        .filter(|it| strsim::jaro_winkler(it, name) > 0.8);
    let made = CommandError::new("not_found", format!("there is no deployment {name}"));
    match near {
        Some(near) => made.hint(format!("switchback status {near}   # did you mean {near}?")),
        None => made.hint(
            "switchback status   # lists them; what else runs here is added by: switchback init",
        ),
    }
}
