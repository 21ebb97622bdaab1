//! Puts an image into the lab's registry, for `scripts/lab` and `scripts/demo`.

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::Value;
use switchback_testkit::lab::{Lab, LabError, ledger_config};

const USAGE: &str = "\
usage: lab_publish ledger REPOSITORY:TAG [NAME=VALUE…]     a ledger that behaves as the variables say
       lab_publish image REPOSITORY:TAG CONFIG LAYER…      layers of scripts/lab, lowest first, and
                                                           the Config of the image as JSON
Prints the digest of what it has put there.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match publish(&arguments) {
        Some(Ok(digest)) => {
            writeln!(std::io::stdout(), "{digest}").ok();
            ExitCode::SUCCESS
        }
        Some(Err(error)) => {
            writeln!(std::io::stderr(), "error: {error}").ok();
            ExitCode::FAILURE
        }
        None => {
            write!(std::io::stderr(), "{USAGE}").ok();
            ExitCode::from(2)
        }
    }
}

/// `None` where the arguments make no sense.
fn publish(arguments: &[&str]) -> Option<Result<String, LabError>> {
    let [kind, reference, rest @ ..] = arguments else { return None };
    let (repository, tag) = reference.rsplit_once(':')?;
    let (config, layers) = match (*kind, rest) {
        ("ledger", variables) => {
            let variables: Option<Vec<_>> =
                variables.iter().map(|one| one.split_once('=')).collect();
            (ledger_config(&variables?), &["ledger"][..])
        }
        ("image", [config, layers @ ..]) => (serde_json::from_str::<Value>(config).ok()?, layers),
        _ => return None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    Some(
        runtime.block_on(async {
            Lab::connect()?.publish_layers(repository, tag, &config, layers).await
        }),
    )
}
