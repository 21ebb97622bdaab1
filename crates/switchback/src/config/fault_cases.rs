//! One file for each rule: its text, the field that is reported, and a piece of the problem.
//!
//! This file needs nothing around it, so that other tests can include it and run the commands.

/// Text, field, piece of the problem.
pub(crate) const FAULTS: &[(&str, &str, &str)] = &[
    ("[deploiment.web]\nkind = \"container\"", "deploiment", "nearest known one is `deployment`"),
    ("[deployment.web]\nkind = \"container\"\nimgae = \"web\"", "deployment.web.imgae", "`image`"),
    (
        "[deployment.web]\nkind = \"container\"\nimage = \"a\"\nimgae = \"b\"",
        "deployment.web.imgae",
        "`image`",
    ),
    ("[deployment.web]\nkind = \"container\"\nxyzzy = 1", "deployment.web.xyzzy", "known are"),
    (
        "[deployment.web]\nkind = \"container\"\nrun.portz = [\"80\"]",
        "deployment.web.run.portz",
        "`ports`",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nretain.releases = \"5\"",
        "deployment.web.retain.releases",
        "is a string; it takes a whole number",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nretain.releases = 0",
        "deployment.web.retain.releases",
        "0 is out of range",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nauto_rollback = \"yes\"",
        "deployment.web.auto_rollback",
        "it takes true or false",
    ),
    (
        "[deployment.web]\nkind = \"container\"\naccounts.users = \"alice\"",
        "deployment.web.accounts.users",
        "it takes a list of strings",
    ),
    (
        "[deployment.web]\nkind = \"container\"\naccounts.users = [\"alice\", 1]",
        "deployment.web.accounts.users.1",
        "is a whole number; it takes a string",
    ),
    (
        "[deployment.web]\nkind = \"container\"\naccounts.users = [\"alice\", \"alice\"]",
        "deployment.web.accounts.users",
        "named twice",
    ),
    (
        "[deployment.web]\nkind = \"container\"\naccounts.users = [\"a:b\"]",
        "deployment.web.accounts.users",
        "not a name of a user",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nhealth.interval = \"5\"",
        "deployment.web.health.interval",
        "not a duration",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nhealth.interval = 5",
        "deployment.web.health.interval",
        "it takes a duration",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nhealth.interval = \"0s\"",
        "deployment.web.health.interval",
        "longer than nothing",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nupdates = \"atuo\"",
        "deployment.web.updates",
        "not one of off, manual, auto",
    ),
    ("[deployment.web]\nimage = \"web\"", "deployment.web.kind", "is missing"),
    ("[deployment.web]\nkind = \"contaner\"", "deployment.web.kind", "not one of"),
    (
        "[deployment.web]\nkind = \"container\"\nimage = \"Web App\"",
        "deployment.web.image",
        "not an image reference",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nimage = \"acme/Web:1\"",
        "deployment.web.image",
        "not an image reference",
    ),
    (
        "[deployment.web]\nkind = \"container\"\ncontainer = \"my web\"",
        "deployment.web.container",
        "not a name of a container",
    ),
    ("[deployment.\"my web\"]\nkind = \"container\"", "deployment.\"my web\"", "cannot be a name"),
    (
        "[deployment.w]\nkind = \"container\"",
        "deployment.w.container",
        "cannot be the name of a container",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nbranch = \"main\"",
        "deployment.web.branch",
        "belongs to kind git",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nengine = \"unix:///x\"\nhost = \"y\"",
        "deployment.web.host",
        "one is enough",
    ),
    (
        "[deployment.web]\ntemplate = \"bass\"\n[template.base]\nkind = \"container\"",
        "deployment.web.template",
        "no template `bass`",
    ),
    (
        "[deployment.web]\ntemplate = \"x\"\nkind = \"container\"",
        "deployment.web.template",
        "no template `x`",
    ),
    (
        "[template.base]\nkind = \"container\"\nrun.restart = \"sometimes\"\n[deployment.web]\ntemplate = \"base\"",
        "template.base.run.restart",
        "not a restart policy",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.restart = \"sometimes\"",
        "deployment.web.run.restart",
        "not a restart policy",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.ports = [\"not-an-ip:3000:80\"]",
        "deployment.web.run.ports",
        "invalid IP address syntax",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.ports = [\"127.0.0.1:70000:80\"]",
        "deployment.web.run.ports",
        "out of range",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.ports = [\"x\"]",
        "deployment.web.run.ports",
        "not a port",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.ports = [\"x\", \"y\"]",
        "deployment.web.run.ports",
        "not a port",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.ports = [\"127.0.0.1:3000:80\", \"3000:81\"]",
        "deployment.web.run.ports",
        "already published by web",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.ports = [\"3000:80\"]\n[deployment.api]\nkind = \"container\"\nrun.ports = [\"127.0.0.1:3000:80\"]",
        "deployment.web.run.ports",
        "already published by api",
    ),
    (
        "[deployment.web]\nkind = \"container\"\ncontainer = \"same\"\n[deployment.api]\nkind = \"container\"\ncontainer = \"same\"",
        "deployment.web.container",
        "already that of api",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.volumes = [\"./data:/data\"]",
        "deployment.web.run.volumes",
        "relative path",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.volumes = [\"/srv/../etc:/data\"]",
        "deployment.web.run.volumes",
        "not a plain path",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.volumes = [\"aa:/x\", \"bb:/x\"]",
        "deployment.web.run.volumes",
        "already mounted",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.working_dir = \"app\"",
        "deployment.web.run.working_dir",
        "relative path",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.network_mode = \"host\"\nrun.networks = [\"a\"]",
        "deployment.web.run.network_mode",
        "together",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.network_mode = \"service:db\"",
        "deployment.web.run.network_mode",
        "name a container",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.healthcheck.test = [\"true\"]",
        "deployment.web.run.healthcheck.test",
        "has to begin with",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.environment = { A = [1] }",
        "deployment.web.run.environment.A",
        "it takes",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.environment = [\"=x\"]",
        "deployment.web.run.environment",
        "no name before",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.environment = { A = \"${NOT_SET}\" }",
        "deployment.web.run.environment.A",
        "NOT_SET is not set",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.environment = { A = \"x${NOT_SET}\" }",
        "deployment.web.run.environment.A",
        "NOT_SET is not set",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nimage = \"web:${NOT CLOSED\"",
        "deployment.web.image",
        "not closed",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.labels = { a = \"${x y}\" }",
        "deployment.web.run.labels.a",
        "neither ${VAR} nor",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.env_file = \"no.env\"",
        "deployment.web.run.env_file",
        "cannot read",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.mem_limit = \"much\"",
        "deployment.web.run.mem_limit",
        "not a size",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.memswap_limit = \"much\"",
        "deployment.web.run.memswap_limit",
        "not a size",
    ),
    (
        "[deployment.web]\nkind = \"container\"\ndata.policy = \"command\"",
        "deployment.web.data.backup",
        "needs both",
    ),
    (
        "[deployment.web]\nkind = \"container\"\ndata = { policy = \"command\", backup = \"x\" }",
        "deployment.web.data.restore",
        "needs both",
    ),
    (
        "[deployment.web]\nkind = \"container\"\ndata.backup = \"x\"",
        "deployment.web.data.backup",
        "only run with",
    ),
    (
        "[deployment.web]\nkind = \"container\"\ndata = { policy = \"snapshot\", exclude = [\"cache\"] }",
        "deployment.web.data.exclude.0",
        "relative path",
    ),
    (
        "[deployment.web]\nkind = \"container\"\ndata.exclude = [\"/cache\"]",
        "deployment.web.data.exclude",
        "only a snapshot",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nhealth.http = \"http://x/\"\nhealth.tcp = \"x:1\"",
        "deployment.web.health.tcp",
        "one of http, tcp and exec",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nhealth.http = \"127.0.0.1/health\"",
        "deployment.web.health.http",
        "not a URL",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nhealth.tcp = \"127.0.0.1\"",
        "deployment.web.health.tcp",
        "not HOST:PORT",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nhealth.exec = []",
        "deployment.web.health.exec",
        "empty list",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nhealth.tcp = \"x:1\"\nhealth.version = \"/v\"",
        "deployment.web.health.version",
        "only a probe by http",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nhealth.http = \"http://x/\"\nhealth.version = \"version\"",
        "deployment.web.health.version",
        "not a JSON pointer",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nhealth.http = \"http://x/\"\nhealth.json = { ok = true }",
        "deployment.web.health.json.ok",
        "not a JSON pointer",
    ),
    (
        "[deployment.web]\nkind = \"container\"\n[[deployment.web.health.probe]]\nversion = \"/v\"",
        "deployment.web.health.probe.0.version",
        "only a probe by http",
    ),
    (
        "[deployment.web]\nkind = \"container\"\n[[deployment.web.health.probe]]",
        "deployment.web.health.probe.0",
        "is no probe",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nhealth.http = \"http://x/\"\n[[deployment.web.health.probe]]\ntcp = \"x:1\"",
        "deployment.web.health.http",
        "belongs in that list",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nhealth = { min_healthy_time = \"2m\", healthy_deadline = \"1m\" }",
        "deployment.web.health.healthy_deadline",
        "not longer than min_healthy_time",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nhealth = { interval = \"30s\", healthy_deadline = \"1m\" }",
        "deployment.web.health.healthy_deadline",
        "times interval",
    ),
    (
        "[deployment.app]\nkind = \"git\"\nrepository = \"x\"\nunit = \"x\"",
        "deployment.app.path",
        "kind git needs it",
    ),
    (
        "[deployment.app]\nkind = \"git\"\nrepository = \"x\"\nunit = \"x\"\npath = \"app\"",
        "deployment.app.path",
        "relative path",
    ),
    (
        "[deployment.app]\nkind = \"git\"\nrepository = \"x\"\nunit = \"x\"\npath = \"/app\"\nconfirm_timeout = \"never\"",
        "deployment.app.confirm_timeout",
        "not a duration",
    ),
    ("[deployment.app]\nkind = \"compose\"", "deployment.app.files", "kind compose needs it"),
    (
        "[deployment.app]\nkind = \"compose\"\nfiles = [\"x\"]\nhealth.services.a.tcp = \"x\"",
        "deployment.app.health.services.a.tcp",
        "not HOST:PORT",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nhealth.services.a.tcp = \"x:1\"",
        "deployment.web.health.services",
        "belongs to kind compose or instance",
    ),
    ("[fleet.all]\nkind = \"container\"", "fleet.all.hosts", "is missing"),
    ("[fleet.all]\nkind = \"container\"\nhosts = [\"a\", \"a\"]", "fleet.all.hosts", "named twice"),
    (
        "[fleet.all]\nkind = \"container\"\nhosts = [\"a\"]\nhosts_file = \"/x\"",
        "fleet.all.hosts_file",
        "one of",
    ),
    (
        "[fleet.all]\nkind = \"container\"\nhosts = [\"a\"]\nwaves = [1, \"110%\"]",
        "fleet.all.waves",
        "not a percentage",
    ),
    (
        "[fleet.all]\nkind = \"container\"\nhosts = [\"a\"]\nmax_failure_ratio = 2",
        "fleet.all.max_failure_ratio",
        "from 0 to 1",
    ),
    (
        "[fleet.web]\nkind = \"container\"\nhosts = [\"a\"]\n[deployment.web]\nkind = \"container\"",
        "fleet.web",
        "is a deployment already",
    ),
    ("state = \"here\"", "state", "relative path"),
    ("[serve]\nlisten = \"somewhere\"", "serve.listen", "invalid socket address"),
    ("[serve]\nlisten = \"0.0.0.0:7700\"", "serve.token_file", "needs tokens"),
    ("[schedule]\ncheck = \"daily\"", "schedule.check", "1 fields and not five"),
    ("[notify.ops]\non = [\"stuck\"]", "notify.ops.url", "says where to"),
    ("[notify.ops]\nurl = \"https://x\"\nsmtp = \"smtp://x\"", "notify.ops.smtp", "one of"),
    ("[serve]\nlisten = 1979-05-27", "serve.listen", "is a date"),
];

/// Right files with a warning: text, field, piece of the message.
pub(crate) const WARNINGS: &[(&str, &str, &str)] = &[
    (
        "[deployment.web]\nkind = \"container\"\nrun.ports = [\"127.0.0.1:80:80\"]",
        "deployment.web.run.ports",
        "Port must be >= 1024 (non-privileged)",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.ports = [\"0.0.0.0:3000:80\"]",
        "deployment.web.run.ports",
        "Network exposed without authentication",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.ports = [\"[::]:3000:80\"]",
        "deployment.web.run.ports",
        "Network exposed without authentication",
    ),
    (
        "[deployment.web]\nkind = \"container\"\nrun.ports = [\"3000:80\", \"127.0.0.1:3001:81\"]",
        "deployment.web.run.ports",
        "Network exposed without authentication",
    ),
];
