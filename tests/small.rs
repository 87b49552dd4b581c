//! The smallest application there is: one static program in an empty image, without data services. Its image
//! is built and copied as any other.

use andamio_testkit::{Sandbox, run};
use std::fs;

/// It answers HTTP and keeps its own files; what it answers is of no interest here.
const TOML: &str = "[project]\nname = \"small\"\n\
    [app]\nsource = \"app\"\nready = \"/v4/regions\"\nfiles = [\"/data\"]\n\
    [app.processes]\nweb = { command = [\"/program\", \"--listen\", \"0.0.0.0:8080\", \"--state\", \"/data\"], port = 8080 }\n\
    [environments.one]\ntls = \"off\"\n";

/// A project with that many application machines in environment `one`.
pub(crate) fn project(machines: u32) -> Sandbox {
    project_with(machines, "")
}

/// The same with more said of the machines, as `, disk = "5 GB"`.
pub(crate) fn project_with(machines: u32, more: &str) -> Sandbox {
    let app = format!("app = {{ machines = {machines}, size = \"1x1\"{more} }}\n");
    let sandbox = Sandbox::new(&format!("{TOML}{app}"));
    let folder = sandbox.folder.join("app");
    fs::create_dir(&folder).unwrap();
    fs::copy(run::built("linode-emulator"), folder.join("program")).unwrap();
    fs::write(folder.join("Containerfile"), "FROM scratch\nCOPY program /program\n").unwrap();
    sandbox
}
