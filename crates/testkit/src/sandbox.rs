//! A project of its own: folder, `andamio.toml`, state. What was brought up is taken down when it
//! goes out of scope, also by a failure.

use crate::command::{self, Ended, Running};
use crate::{host, run};
use andamio_provision::local::instance_id;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// No verb takes longer, also where the machine image has to be built first.
pub const DEADLINE: Duration = Duration::from_secs(600);

pub struct Sandbox {
    pub folder: PathBuf,
    file: PathBuf,
    /// Environments that `down` is owed to.
    owed: RefCell<BTreeSet<String>>,
}

impl Sandbox {
    /// A project with this `andamio.toml`.
    #[must_use]
    pub fn new(toml: &str) -> Self {
        let folder = fresh();
        let file = folder.join("andamio.toml");
        fs::write(&file, toml).unwrap();
        Self { folder, file, owed: RefCell::default() }
    }

    /// The checkout's own `andamio.toml`, with a state apart from the user's.
    #[must_use]
    pub fn of_checkout() -> Self {
        let file = run::checkout().join("andamio.toml");
        Self { folder: fresh(), file, owed: RefCell::default() }
    }

    /// The checkout's application in environments of this `andamio.toml`, which is put beside the checkout's
    /// own for that long.
    #[must_use]
    pub fn beside_checkout(toml: &str) -> Self {
        let folder = fresh();
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let file = run::checkout().join(format!(".test-{name}.toml"));
        fs::write(&file, toml).unwrap();
        Self { folder, file, owed: RefCell::default() }
    }

    /// Another `andamio.toml` from now on.
    pub fn rewrite(&self, toml: &str) {
        fs::write(&self.file, toml).unwrap();
    }

    /// The project's `andamio.toml`.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Id of an environment at this host, by which its things on the host are named.
    #[must_use]
    pub fn id(&self, env: &str) -> String {
        instance_id(&self.state().display().to_string(), &format!("{env}@local"))
    }

    /// The command line with this project and state, ready to be changed.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        if let ["up" | "down", env, ..] = arguments {
            self.owe(env);
        }
        let mut command = Command::new(run::built("andamio"));
        command.current_dir(&self.folder).arg("-f").arg(&self.file);
        command.arg("--state").arg(self.state()).args(arguments);
        for variable in ["ANDAMIO_FILE", "ANDAMIO_ON", "ANDAMIO_STATE", "ANDAMIO_IDENTITY"] {
            command.env_remove(variable);
        }
        // The checkout's own identity is not a test's to make or to use.
        command.env("ANDAMIO_IDENTITY", self.state().join("identity.txt"));
        command.env("NO_COLOR", "1");
        // Nor are the keys of whoever runs the tests.
        command.env_remove("ANDAMIO_SSH_KEY").env_remove("SSH_AUTH_SOCK");
        command
    }

    fn owe(&self, env: &str) {
        if self.owed.borrow_mut().insert(env.to_owned()) {
            let path = |path: &Path| path.display().to_string();
            let program = path(&run::built("andamio"));
            let (file, state) = (path(&self.file), path(&self.state()));
            let down = [&program, "-f", &file, "--state", &state, "-y", "down", env];
            run::note_instance(&self.id(env), &down.map(str::to_owned));
        }
    }

    /// Runs a verb to its end.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Ended {
        command::run(self.command(arguments), DEADLINE)
    }

    /// Runs a verb and goes on only with exit status 0.
    #[must_use]
    pub fn ok(&self, arguments: &[&str]) -> Ended {
        self.run(arguments).expect(0)
    }

    /// Starts a verb that runs beside the test.
    #[must_use]
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(arguments))
    }

    /// A shell line on a machine, as root.
    pub fn on(&self, env: &str, machine: &str, line: &str) -> String {
        self.ok(&["exec", env, machine, "--", line]).stdout
    }

    /// Copies a file onto a machine.
    pub fn put(&self, env: &str, machine: &str, from: &Path, to: &str) {
        let mut command = self.command(&["ssh", env, machine, "--", &format!("cat > {to}")]);
        command.stdin(fs::File::open(from).unwrap());
        let status = command.status().unwrap();
        assert!(status.success(), "copying {} to {machine}: {status}", from.display());
    }

    /// Ends a machine as a power cut would: its disk stays.
    pub fn cut_power(&self, env: &str, machine: &str) {
        host::cut_power(&self.id(env), machine);
    }

    /// Cuts a machine's power and removes its disk, as if it had burnt.
    pub fn lose_disk(&self, env: &str, machine: &str) {
        self.cut_power(env, machine);
        let folder = Path::new("/var/lib/andamio/instances").join(self.id(env));
        fs::remove_dir_all(folder.join("machines").join(machine)).unwrap();
    }

    /// Everything of an environment that is on the host.
    #[must_use]
    pub fn leftovers(&self, env: &str) -> Vec<String> {
        host::leftovers(&self.id(env))
    }
}

fn fresh() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = run::folder().join(format!("{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if run::keep() {
            println!(
                "           kept: {} (state {})",
                self.folder.display(),
                self.state().display()
            );
            return;
        }
        // A scenario that broke the file still has to be taken down.
        let owed: Vec<String> = self.owed.borrow().iter().cloned().collect();
        for env in owed.iter().filter(|env| !self.leftovers(env).is_empty()) {
            let ended = command::run(self.command(&["down", env, "-y"]), DEADLINE);
            if ended.code != Some(0) {
                println!("           could not take {env} down: {ended}");
            }
        }
        let _ = fs::remove_dir_all(&self.folder);
        if self.file.file_name() != Some("andamio.toml".as_ref()) {
            let _ = fs::remove_file(&self.file);
        }
    }
}
