//! What a look at a container says, and of whom.

use std::sync::Arc;

use switchback_testkit::{
    Answer, Engine, Refusal, Request, VirtualClock, World,
    engine::{Output, Specification},
    http::Server,
};

use super::*;
use crate::{container::settings::CommandLine, engine_api::Pipe};

/// An engine that always answers the same about a program.
#[derive(Debug)]
struct OneAnswer {
    world: World,
    answer: Result<Answer, Refusal>,
}

impl Engine for OneAnswer {
    async fn call(&self, request: Request) -> Result<Answer, Refusal> {
        match request {
            Request::Exec { .. } => self.answer.clone(),
            other => self.world.call(other).await,
        }
    }
}

/// What a gate with one probe, a command, sees of a container that runs.
async fn seen_where_programs_meet(answer: Result<Answer, Refusal>) -> Seen {
    let world = World::new(VirtualClock::of_the_runtime());
    world.publish("shop/web:1", "sha256:1");
    let specification =
        Specification { image: "shop/web:1".to_owned(), ..Specification::default() };
    let name = || "web".to_owned();
    world.call(Request::Pull { reference: "shop/web:1".to_owned() }).await.unwrap();
    world.call(Request::Create { name: name(), specification }).await.unwrap();
    world.call(Request::Start { container: name() }).await.unwrap();
    let server = Server::new(Arc::new(OneAnswer { world, answer }));
    let pipe = Pipe { open: Arc::new(move || server.open()), boot_time: || 0 };
    let probes = vec![ProbeSettings::Exec { command: CommandLine::Exec(vec!["true".to_owned()]) }];
    let health = HealthSettings {
        probes,
        interval_ms: 500,
        timeout_ms: 5_000,
        healthy_streak: 3,
        min_healthy_time_ms: 0,
        healthy_deadline_ms: None,
    };
    let gate = ContainerGate {
        engine: EngineClient::connect_through(&pipe).await.unwrap(),
        name: name(),
        beside: Vec::new(),
        health,
        client: HttpClient::default(),
        short_looks: ShortLooks::default(),
    };
    gate.probe().await
}

/// It was held against the version, and an old one on the way back passed for ill.
#[tokio::test(start_paused = true)]
async fn an_engine_that_breaks_off_says_nothing_about_a_version() {
    let lost = Refusal { status: 0, message: "the connection was lost".to_owned() };
    let seen = seen_where_programs_meet(Err(lost)).await;
    assert!(matches!(seen.blind, Some(Blind::Unreachable { .. })), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_program_that_fails_says_that_a_version_is_not_ready() {
    let failed = Output { code: 1, stdout: String::new(), stderr: "no database".to_owned() };
    let seen = seen_where_programs_meet(Ok(Answer::Output(failed))).await;
    assert_eq!(seen.blind, None);
    let [probe] = &seen.probes[..] else { panic!("{seen:?}") };
    assert_eq!((probe.ready, probe.detail.as_str()), (false, "exit code 1: no database"));
}

fn inspect(status: &str, code: i64, policy: &str) -> Value {
    let state = json!({"Running": status == "running", "Restarting": status == "restarting",
        "ExitCode": code, "Pid": 7, "StartedAt": "2026-01-01T00:00:00Z"});
    json!({"State": state, "RestartCount": 2, "HostConfig": {"RestartPolicy": {"Name": policy}}})
}

#[test]
fn the_first_looks_at_each_new_process_are_short() {
    let looks = ShortLooks::after_starts();
    let times: Vec<u64> = [7, 7, 7, 7, 7, 8].map(|pid| looks.next_ms(pid, 5_000)).into();
    assert_eq!(times, [500, 1_000, 2_000, 4_000, 5_000, 500]);
    assert_eq!(ShortLooks::default().next_ms(7, 5_000), 5_000);
}

#[test]
fn only_an_end_that_nothing_follows_is_final() {
    assert_eq!(process(&inspect("exited", 3, "no")).exited, Some(3));
    assert_eq!(process(&inspect("exited", 3, "always")).exited, None);
    assert_eq!(process(&inspect("restarting", 3, "on-failure")).exited, None);
    assert_eq!(process(&inspect("exited", 0, "on-failure")).exited, Some(0));
    let now = |text: &str| text.parse::<Timestamp>().unwrap();
    let twice = inspect("running", 0, "always");
    assert!(keeps_restarting(&twice, now("2026-01-01T00:01:00Z")));
    assert!(!keeps_restarting(&twice, now("2026-01-01T00:10:00Z")));
    let running = process(&inspect("running", 0, "no"));
    assert_eq!((running.running, running.pid, running.restarts), (true, 7, 2));
}
