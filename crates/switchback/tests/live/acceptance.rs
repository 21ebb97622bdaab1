//! A real application from its first update to its rollback: the opencode server in two versions behind one tag.

use serde_json::{Value, json};
use switchback_testkit::lab::Prober;

use crate::common::{World, http};

/// The image as its makers configure it.
fn config(program: &str) -> Value {
    json!({
        "Env": ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/root", "XDG_DATA_HOME=/data"],
        "WorkingDir": "/projects",
        "Entrypoint": [program, "serve", "--port", "4096", "--hostname", "0.0.0.0"],
        "ExposedPorts": { "4096/tcp": {} },
    })
}

impl World {
    fn opencode(&self, version: &str, program: &str) {
        let layers = ["debian", &format!("opencode-{version}")];
        self.publish_layers("latest", &config(program), &layers);
    }

    fn reported(&self) -> String {
        let answer = http::ask(&self.address, "GET", "/global/health").filter(|it| it.0 == 200);
        let body: Value =
            answer.and_then(|it| serde_json::from_str(&it.1).ok()).unwrap_or_default();
        body["version"].as_str().unwrap_or_default().to_owned()
    }

    /// passwd, shadow and group of these two users, as the running container has them.
    fn accounts(&self) -> String {
        let words = "grep -hE '^(alice|bob):' /etc/passwd /etc/shadow /etc/group";
        self.docker(&["exec", &self.name, "/bin/sh", "-c", words])
    }
}

#[test]
fn opencode_is_updated_refused_a_broken_release_and_rolled_back_with_its_users_and_data() {
    let world = World::new("opencode");
    let projects = world.folder.path().join("projects");
    std::fs::create_dir(&projects).expect("a folder");
    std::fs::write(projects.join("note"), "mine").expect("a file");
    let url = format!("http://{}/global/health", world.address);
    world.setting("accounts.users = [\"alice\", \"bob\"]");
    world.setting("data.policy = \"snapshot\"");
    world.probe(Some(&format!(
        "http = \"{url}\"\njson = {{ \"/healthy\" = true }}\nversion = \"/version\""
    )));
    world.gate("interval = \"200ms\"\nhealthy_streak = 3\nmin_healthy_time = \"2s\"\nhealthy_deadline = \"40s\"");
    world.opencode("1.18.32", "opencode");
    world.made.containers.borrow_mut().push(world.name.clone());
    world.made.volumes.borrow_mut().push(world.name.clone());
    let (publish, volume) = (world.published(4096), format!("{}:/data", world.name));
    let bind = format!("{}:/projects", projects.display());
    let image = world.image("latest");
    world.docker(&[
        "run",
        "--detach",
        "--quiet",
        "--init",
        "--name",
        &world.name,
        "--restart",
        "unless-stopped",
        "--publish",
        &publish,
        "--volume",
        &volume,
        "--volume",
        &bind,
        &image,
    ]);
    world.until("opencode answers", || world.reported() == "1.18.32");
    world.docker(&[
        "exec",
        &world.name,
        "/bin/sh",
        "-c",
        "echo 'alice:new password' | chpasswd && usermod --lock bob && echo kept > /data/marker",
    ]);
    let accounts = world.accounts();

    world.opencode("1.18.33", "opencode");
    let prober = Prober::start(&url);
    let update = world.run_json(&["update", "web", "-y"]).exits(0).has("/outcome", "committed");
    update.tells_how_long_it_was_away(&prober.stop());
    assert_eq!(world.reported(), "1.18.33");
    assert_eq!(world.accounts(), accounts, "users, hashes and locks are kept");
    let marker = ["exec", &world.name, "/bin/cat", "/data/marker", "/projects/note"];
    assert_eq!(world.docker(&marker).replace('\n', " "), "kept mine");

    let id = world.id();
    world.run_json(&["update", "web", "-y"]).exits(0).has("/outcome", "up_to_date");
    assert_eq!(world.id(), id);

    world.opencode("1.18.33", "no-such-program");
    world.run_json(&["update", "web", "-y"]).exits(4).has("/outcome", "rolled_back");
    assert_eq!(world.id(), id);
    assert_eq!(world.reported(), "1.18.33");
    assert_eq!(world.accounts(), accounts);

    world.run_json(&["rollback", "web", "-y"]).exits(0).has("/release", "r1");
    assert_eq!(world.reported(), "1.18.32");
    assert_eq!(world.accounts(), accounts);
    assert_eq!(world.docker(&marker).replace('\n', " "), "kept mine");
}
