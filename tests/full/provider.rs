//! The official Terraform provider against the Linode emulator: the project's own tree is applied for all
//! three environments, is then as declared, changes one thing in place, and is destroyed. The provider
//! comes from where the tool finds it, or is the file that ANDAMIO_TEST_PROVIDER names. Proves T1 to T5
//! as far as the emulator is Linode, and point 6 of what no comparable tool has.

use crate::emulator::{Emulator, TOKEN, certificate};
use crate::terraform::ENVIRONMENTS;
use crate::terraform::tool::{Tool, Tree};
use andamio_testkit::host::missing;
use andamio_testkit::{Abandoned, Need, Scenario, Steps};
use std::path::{Path, PathBuf};

pub(crate) const SCENARIO: Scenario = Scenario { name: "provider", need: Need::Nothing, run: all };

const PROVIDER: &str = "ANDAMIO_TEST_PROVIDER";
const QUIET: [&str; 2] = ["-no-color", "-input=false"];

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let title = |env: &str| format!("{env}: applied, nothing left to do, changed, destroyed");
    let ready = missing(&["terraform"]).map_or(Ok(()), Err).and_then(|()| certificate());
    let ready = ready.and_then(|files| provider().map(|tool| (tool, files)));
    let (tool, files) = match ready {
        Ok(ready) => ready,
        Err(why) => {
            ENVIRONMENTS.iter().for_each(|env| steps.skip(&title(env), &why));
            return Ok(());
        }
    };
    for env in ENVIRONMENTS {
        let mut figures = Vec::new();
        steps.step(&title(env), || figures = life(&tool, env, &files));
        for (what, milliseconds) in figures {
            steps.figure(&format!("{env}_{what}_ms"), milliseconds);
        }
    }
    Ok(())
}

/// Terraform with the provider; a reason when it cannot be had.
fn provider() -> Result<Tool, String> {
    let file = std::env::var_os(PROVIDER).map(PathBuf::from);
    let tool = Tool::official("terraform", file.as_deref());
    let tree = Tree::copy();
    let begun = tool.init(&tree, "dev");
    if begun.code == Some(0) {
        return Ok(tool);
    }
    let line = begun.stderr.lines().find(|line| line.contains("Error")).unwrap_or_default();
    Err(format!("needs the official provider, or its file in {PROVIDER}: {}", line.trim()))
}

/// What took how many milliseconds.
fn life(tool: &Tool, env: &str, (cert, key): &(PathBuf, PathBuf)) -> Vec<(&'static str, u64)> {
    let [cert, key] = [cert, key].map(|file: &PathBuf| Path::new(file).display().to_string());
    // The provider speaks to S3 over TLS only.
    let options = ["--s3-listen", "127.0.0.1:0", "--tls-cert", &cert, "--tls-key", &key];
    let emulator = Emulator::start(&[&["--pace", "200"], &options[..]].concat());
    let variables = [
        ("LINODE_URL", emulator.url.as_str()),
        ("LINODE_TOKEN", TOKEN),
        ("LINODE_EVENT_POLL_MS", "200"),
        ("SSL_CERT_FILE", &cert),
        ("AWS_CA_BUNDLE", &cert),
    ];
    let tree = Tree::copy();
    drop(tool.init(&tree, env).expect(0));
    let mut figures = Vec::new();
    let mut run = |what, words: &[&str], code| {
        let words = [words, &QUIET[..]].concat();
        let ended = tool.run_with(&tree.environment(env), &words, &variables).expect(code);
        figures.push((what, ended.took.as_millis().try_into().unwrap()));
        ended.stdout
    };
    run("apply", &["apply", "-auto-approve"], 0);
    run("plan", &["plan", "-detailed-exitcode"], 0);
    // A rule of the backups' bucket, which goes through S3.
    let days = "-var=backup_days=31";
    run("changed_plan", &["plan", "-detailed-exitcode", days], 2);
    let changed = run("change", &["apply", "-auto-approve", days], 0);
    assert!(changed.contains("0 added, 1 changed, 0 destroyed"), "{changed}");
    run("plan_again", &["plan", "-detailed-exitcode", days], 0);
    let gone = run("destroy", &["destroy", "-auto-approve"], 0);
    assert!(gone.contains("Destroy complete!"), "{gone}");
    figures
}
