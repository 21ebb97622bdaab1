//! The words of the command line. What they mean is in `context` and `commands`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Updates what people already run, and can always take it back.
#[derive(Debug, Parser)]
#[command(name = "switchback", version, propagate_version = true, max_term_width = 100)]
#[command(
    after_help = "Begin with:\n  switchback init            write a configuration from what runs here\n  \
    switchback check           is there something newer?\n  switchback update NAME     update it, or everything goes back\n  \
    switchback rollback NAME   take it back\n\nExit codes: 0 done, 1 failed (nothing changed), 2 usage, 3 refused, \
    4 rolled back,\n5 stuck, 10 something newer is available, 11 unknown, 130 interrupted."
)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The configuration file
    #[arg(short, long, global = true, value_name = "FILE", env = "SWITCHBACK_CONFIG")]
    pub config: Option<PathBuf>,
    /// The folder of the controller's database
    #[arg(long, global = true, value_name = "DIR", env = "SWITCHBACK_STATE")]
    pub state: Option<PathBuf>,
    /// How results are printed
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value = "text",
        env = "SWITCHBACK_OUTPUT"
    )]
    pub output: OutputFormat,
    /// Print results only
    #[arg(short, long, global = true, env = "SWITCHBACK_QUIET")]
    pub quiet: bool,
    /// Print times and more
    #[arg(short, long, global = true, env = "SWITCHBACK_VERBOSE")]
    pub verbose: bool,
    /// Print no colour (as does `NO_COLOR`)
    #[arg(long, global = true, env = "SWITCHBACK_NO_COLOR")]
    pub no_color: bool,
    /// How long to wait for another operation on the same target (`90s`)
    #[arg(
        long,
        global = true,
        value_name = "TIME",
        default_value = "0s",
        env = "SWITCHBACK_LOCK_TIMEOUT"
    )]
    pub lock_timeout: String,
    /// Ask nothing
    #[arg(short, long, global = true)]
    pub yes: bool,
    /// Ask nothing, and take also what was rejected
    #[arg(long, global = true)]
    pub force: bool,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    Text,
    /// One document.
    Json,
    /// One event a line, and the document last.
    Ndjson,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented configuration from what runs here; again, it only adds
    Init(InitArgs),
    /// Take over what runs, exactly as it is
    Adopt(AdoptArgs),
    /// Give it back: what runs runs on
    Forget(ForgetArgs),
    /// Show and change the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Is there something newer? Changes nothing, pulls nothing
    Check(NamesArgs),
    /// What an update would do
    Plan(PlanArgs),
    /// Update; whatever does not prove itself goes back
    Update(UpdateArgs),
    /// Go back to the last good release, or to a kept one
    Rollback(RollbackArgs),
    /// What is skipped, and why
    Quarantine(QuarantineArgs),
    /// What runs
    Status(StatusArgs),
    /// What was done: who, when, from where, outcome
    History(HistoryArgs),
    /// One release or operation, whole
    Show(ShowArgs),
    /// What an operation logged
    Logs(LogsArgs),
    /// Finish or undo what was interrupted
    Recover(RecoverArgs),
    /// One round of probes now
    Health(HealthArgs),
    /// Remove what no kept release needs, and only what Switchback made
    Gc(GcArgs),
    /// Print shell completions
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
}

/// Of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Which engine to look at
    #[arg(long, value_name = "URL")]
    pub engine: Option<String>,
    /// Install a systemd unit that finishes or undoes, when the machine starts, what was interrupted
    #[arg(long)]
    pub recover_service: bool,
}

/// Names of deployments.
#[derive(Debug, Args)]
pub struct NamesArgs {
    /// Deployments; none: all
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
}

/// Of `adopt`.
#[derive(Debug, Args)]
pub struct AdoptArgs {
    /// Deployments; a container that the configuration does not name is added to it
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
    /// Take over what belongs to another store, with its releases and snapshots
    #[arg(long)]
    pub take_over: bool,
}

/// Of `forget`.
#[derive(Debug, Args)]
pub struct ForgetArgs {
    /// The deployment
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Remove what was kept of it too: parked containers, image tags, snapshots
    #[arg(long)]
    pub purge: bool,
}

/// Of `config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the file, secrets masked
    Show,
    /// Print one value
    Get {
        /// A path such as `deployment.web.image`
        key: String,
    },
    /// Change one value; comments and order stay
    Set {
        /// A path such as `deployment.web.image`
        key: String,
        /// The value, as in TOML; a bare word is a string
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Remove one value
    Unset {
        /// A path such as `deployment.web.image`
        key: String,
    },
    /// Rename one key
    Rename {
        /// A path such as `deployment.web.imgae`
        key: String,
        /// The new last part
        name: String,
    },
    /// Say whether the file is right
    Validate,
    /// Print a JSON Schema of the file
    Schema,
}

/// Where an update leads.
#[derive(Debug, Clone, Default, Args)]
pub struct TargetArgs {
    /// To this reference, tag or digest; held there until the next plain update
    #[arg(long, value_name = "REF")]
    pub to: Option<String>,
}

/// Of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The deployment
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Where to.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Of `update`.
#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// Deployments, one after another
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Every deployment that is not off, held or quarantined
    #[arg(long, conflicts_with_all = ["names", "to", "plan"])]
    pub all: bool,
    /// Where to.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Restore previous version
    #[arg(long, conflicts_with_all = ["all", "plan"])]
    pub rollback: bool,
    /// Exactly the plan with this fingerprint, or none
    #[arg(long, value_name = "FINGERPRINT")]
    pub plan: Option<String>,
    /// Only say what would be done
    #[arg(long, conflicts_with_all = ["all", "plan"])]
    pub dry_run: bool,
    /// Accept that data is lost
    #[arg(long)]
    pub accept_loss: bool,
}

/// Of `rollback`.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// The deployment
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// To this release (`r3`)
    #[arg(long, value_name = "rN")]
    pub to: Option<String>,
    /// Take the data back too, to when that release was left
    #[arg(long)]
    pub with_data: bool,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Accept that data is lost
    #[arg(long)]
    pub accept_loss: bool,
}

/// Of `quarantine`.
#[derive(Debug, Args)]
pub struct QuarantineArgs {
    /// The deployment
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// What to do with it; nothing: list
    #[arg(value_enum)]
    pub verb: Option<QuarantineVerb>,
    /// A digest; with `clear`, none clears all
    #[arg(value_name = "REF")]
    pub reference: Option<String>,
}

/// What to do with the quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QuarantineVerb {
    /// Skip a version.
    Add,
    /// Skip it no longer.
    Clear,
}

/// Of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// A deployment; none: all, as last seen
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Look again every two seconds
    #[arg(short, long)]
    pub watch: bool,
    /// Look, where several would be printed as last seen
    #[arg(long)]
    pub refresh: bool,
}

/// Of `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// A deployment; none: all
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// At most this many
    #[arg(short = 'n', long, default_value_t = 20)]
    pub limit: u32,
}

/// Of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The deployment
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// A release (`r3`) or an operation's id
    #[arg(value_name = "rN|OPERATION")]
    pub what: Option<String>,
}

/// Of `logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The deployment
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// An operation's id; none: the last
    #[arg(value_name = "OPERATION")]
    pub operation: Option<String>,
}

/// Of `recover`.
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// The deployment; none: all
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// What runs now is right
    #[arg(long)]
    pub accept_current: bool,
}

/// Of `health`.
#[derive(Debug, Args)]
pub struct HealthArgs {
    /// Deployments; none: all
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// The whole gate that updates use
    #[arg(long)]
    pub gate: bool,
}

/// Of `gc`.
#[derive(Debug, Args)]
pub struct GcArgs {
    /// Only say what would be removed
    #[arg(long)]
    pub dry_run: bool,
}

/// Of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}
