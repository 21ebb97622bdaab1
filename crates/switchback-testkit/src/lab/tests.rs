//! The lab must be what tests take it for: each of these would turn other tests' results into noise.

use std::time::{Duration, Instant};

use super::{Cleanup, Lab, LabError, Prober, free_port};

type TestResult = Result<(), LabError>;

/// Starts a ledger of this behaviour, and waits until its port answers.
async fn run_ledger(
    lab: &Lab,
    cleanup: &mut Cleanup,
    name: &str,
    volume: &str,
    environment: &[(&str, &str)],
) -> Result<String, LabError> {
    cleanup.container(name);
    cleanup.volume(volume);
    lab.publish("lab-tests", name, environment).await?;
    let image = format!("{}/lab-tests:{name}", lab.registry());
    cleanup.image(&image);
    let port = free_port()?;
    let publish = format!("{}:{port}:8080", lab.publish_address());
    let mount = format!("{volume}:/data");
    let run =
        ["run", "--detach", "--name", name, "--publish", &publish, "--volume", &mount, &image];
    lab.docker(&run).await?;
    let url = format!("http://{}:{port}", lab.host());
    let deadline = Instant::now() + Duration::from_secs(20);
    while lab.status("GET", &url).await != 200 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(url)
}

impl Lab {
    /// 0 where there is no answer.
    async fn status(&self, method: &str, url: &str) -> u16 {
        let method = method.parse().expect("a method");
        let nothing = hyper::body::Bytes::new();
        let patience = Duration::from_secs(2);
        let answer = super::http::send(method, url, hyper::HeaderMap::new(), nothing, patience);
        answer.await.map_or(0, |answer| answer.status)
    }
}

#[tokio::test]
async fn a_published_release_runs_keeps_rows_and_stops_at_once() -> TestResult {
    let lab = Lab::connect()?;
    let mut cleanup = lab.cleanup();
    let name = lab.unique("ledger");
    let url = run_ledger(&lab, &mut cleanup, &name, &name, &[("LEDGER_VERSION", "1.0.0")]).await?;

    assert_eq!(lab.status("GET", &format!("{url}/health")).await, 200);
    assert_eq!(lab.status("POST", &format!("{url}/rows")).await, 200);
    // Far more patience than a busy machine needs, and an exit code that tells who ended it.
    lab.docker(&["stop", "--time", "50", &name]).await?;
    let code = lab.docker(&["inspect", "--format", "{{.State.ExitCode}}", &name]).await?;
    assert_eq!(code.trim(), "0", "it ended by itself; a kill after the patience is 137");
    Ok(())
}

#[tokio::test]
async fn a_release_that_drops_a_column_makes_its_predecessor_ill() -> TestResult {
    let lab = Lab::connect()?;
    let mut cleanup = lab.cleanup();
    let (volume, first) = (lab.unique("rows"), lab.unique("first"));
    let url = run_ledger(&lab, &mut cleanup, &first, &volume, &[]).await?;
    assert_eq!(lab.status("GET", &format!("{url}/health")).await, 200);

    let third = lab.unique("third");
    let bad = [("LEDGER_MIGRATE", "drop-column"), ("LEDGER_HEALTH", "never")];
    let bad_url = run_ledger(&lab, &mut cleanup, &third, &volume, &bad).await?;
    assert_eq!(lab.status("GET", &format!("{bad_url}/health")).await, 503);

    assert_eq!(lab.status("GET", &format!("{url}/health")).await, 500);
    assert_eq!(lab.status("POST", &format!("{url}/rows")).await, 500);
    Ok(())
}

#[tokio::test]
async fn equal_environments_give_equal_digests_and_others_do_not() -> TestResult {
    let lab = Lab::connect()?;
    let repository = lab.unique("digests");
    let first = lab.publish(&repository, "a", &[("LEDGER_BUILD", "1")]).await?;
    let again = lab.publish(&repository, "b", &[("LEDGER_BUILD", "1")]).await?;
    let other = lab.publish(&repository, "a", &[("LEDGER_BUILD", "2")]).await?;
    assert_eq!(first, again);
    assert_ne!(first, other);
    Ok(())
}

#[tokio::test]
async fn the_private_registry_gives_nothing_without_its_password() -> TestResult {
    let lab = Lab::connect()?;
    let repository = lab.unique("secret");
    let mut cleanup = lab.cleanup();
    lab.publish_private(&repository, "1", &[]).await?;
    let url = format!("http://{}/v2/{repository}/manifests/1", lab.private_registry());
    assert_eq!(lab.status("GET", &url).await, 401);
    let reference = format!("{}/{repository}:1", lab.private_registry());
    cleanup.image(&reference);
    lab.docker(&["pull", "--quiet", &reference]).await?;
    Ok(())
}

#[tokio::test]
async fn no_debug_output_shows_the_password() -> TestResult {
    let lab = Lab::connect()?;
    let password = &lab.private_credentials().password;
    assert!(!password.is_empty());
    assert!(!format!("{lab:?}").contains(password.as_str()));
    Ok(())
}

#[tokio::test]
async fn a_prober_counts_what_a_restart_costs() -> TestResult {
    let lab = Lab::connect()?;
    let mut cleanup = lab.cleanup();
    let name = lab.unique("probed");
    let url = run_ledger(&lab, &mut cleanup, &name, &name, &[]).await?;

    let undisturbed = Prober::start(&url);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let report = undisturbed.stop();
    assert_eq!(report.lost, 0, "{report:?}");
    // 50 requests are due in that time; a busy machine may keep the prober from half of them.
    assert!(report.answered >= 25, "{report:?}");

    let disturbed = Prober::start(&url);
    lab.docker(&["stop", &name]).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    lab.docker(&["start", &name]).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let report = disturbed.stop();
    assert!(report.lost > 0 && report.answered > 0, "{report:?}");
    assert!(report.longest_gap_ms >= 500, "{report:?}");
    Ok(())
}

#[test]
fn free_ports_differ_and_lie_below_the_range_of_outgoing_connections() {
    let ports: Vec<u16> = (0..20).map(|_| free_port().expect("a port")).collect();
    let distinct: std::collections::HashSet<_> = ports.iter().collect();
    assert_eq!(distinct.len(), ports.len(), "{ports:?}");
    assert!(ports.iter().all(|port| (20_000..30_000).contains(port)), "{ports:?}");
}
