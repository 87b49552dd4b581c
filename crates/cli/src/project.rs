//! Where things are: andamio.toml, the state, the identity. The only file that reads the environment.

use crate::args::Global;
use crate::exit::{Exit, Stop};
use andamio_engine::{Bucket, S3Config, Secret, StatePlace, Store};
use andamio_operate::desired::Desired;
use andamio_operate::init::Init;
use andamio_operate::key::TeamKeys;
use andamio_operate::state::State;
use andamio_operate::{Failure, Instance, OpenMode, Request, SshAccess};
use andamio_provision::linode::ApiConfig;
use andamio_spec::{Finding, MAX_BYTES, Spec, StateUrl, parse};
use std::env;
use std::io::Read;
use std::path::{Path, PathBuf};

const NAME: &str = "andamio.toml";
const STATE: &str = ".andamio";
const IDENTITY: &str = "identity.txt";

/// andamio.toml, read and parsed.
pub(crate) struct Project {
    pub(crate) file: PathBuf,
    pub(crate) text: String,
    pub(crate) spec: Option<Spec>,
    pub(crate) findings: Vec<Finding>,
}

impl Project {
    /// Reads the file; what is wrong with its content is in `findings`.
    pub(crate) fn read(global: &Global) -> Result<Self, Stop> {
        let file = find(global.file.as_deref())?;
        let text = read(&file)?;
        let parsed = parse(&file.display().to_string(), &text);
        Ok(Self { file, text, spec: parsed.spec, findings: parsed.findings })
    }

    /// The spec, or everything that is wrong with it.
    pub(crate) fn valid(global: &Global) -> Result<(Self, Spec), Stop> {
        let mut project = Self::read(global)?;
        match project.spec.take() {
            Some(spec) if !project.findings.iter().any(Finding::is_error) => Ok((project, spec)),
            _ => Err(Stop::Findings {
                file: project.file.display().to_string(),
                text: project.text,
                findings: project.findings,
            }),
        }
    }

    fn folder(&self) -> PathBuf {
        match self.file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        }
    }
}

/// Where what is declared comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// andamio.toml, or what the state records where there is no file and a state is named.
    Any,
    /// andamio.toml: something is built, or what is wanted changes.
    File,
    /// What the state records.
    Recorded,
}

impl Source {
    pub(crate) fn of(as_recorded: bool) -> Self {
        if as_recorded { Self::Recorded } else { Self::File }
    }
}

/// Everything a verb needs to know about `env`.
pub(crate) async fn request(global: &Global, env: &str, source: Source) -> Result<Request, Stop> {
    let (env, on) = match env.split_once('@') {
        // Every answer names an instance `env@place`, so it is taken as an argument too.
        Some((env, place)) => (env, Some(place.to_owned())),
        None => (env, None),
    };
    if let (Some(on), Some(other)) = (&on, &global.on)
        && on != other
    {
        return Err(Stop::usage(format!("{env}@{on} and --on {other} disagree"), "name one place"));
    }
    let place = on.or_else(|| global.on.clone());
    let no_file = find(global.file.as_deref()).is_err();
    if let (Some(given), false, true) =
        (&global.state, source == Source::File, source == Source::Recorded || no_file)
    {
        let state = state(Some(given), None, Path::new("."))?;
        let store = Store::look(&state).map_err(Failure::from)?;
        let instance = instance_of(&store, env, place.as_deref()).await?;
        let recorded = Desired::recorded(&store.instance(&instance), &instance).await?;
        let place = instance.split_once('@').map(|(_, place)| place.to_owned());
        let (spec, text) = (recorded.spec()?, recorded.file);
        return with(spec, text, (env, place), (PathBuf::from("."), state), true);
    }
    if no_file && global.state.is_some() && global.file.is_none() {
        return Err(Stop::new(
            Exit::Spec,
            "no-file",
            format!("no {NAME} here or in a folder above"),
            "change to your project, or take what the state records with --as-recorded",
        ));
    }
    let (project, spec) = Project::valid(global)?;
    let folder = project.folder();
    let state = state(global.state.as_deref(), Some(&spec), &folder)?;
    with(spec, project.text, (env, place), (folder, state), source == Source::Recorded)
}

/// The environment opened to look at it, or to do what changes nothing that is wanted.
pub(crate) async fn look(global: &Global, env: &str) -> Result<Instance, Stop> {
    let request = request(global, env, Source::Any).await?;
    Ok(Instance::open(request, OpenMode::ReadOnly).await?)
}

/// The same for what needs no secret: a key that machines let in is enough.
pub(crate) async fn visit(global: &Global, env: &str) -> Result<Instance, Stop> {
    let request = request(global, env, Source::Any).await?;
    Ok(Instance::open(request, OpenMode::Look).await?)
}

/// The state, of all environments: the project's, or the named one where there is no andamio.toml.
pub(crate) fn store(global: &Global) -> Result<Store, Stop> {
    Ok(Store::look(&state_of(global)?.place).map_err(Failure::from)?)
}

fn with(
    spec: Spec,
    text: String,
    (env, place): (&str, Option<String>),
    (folder, state): (PathBuf, StatePlace),
    as_recorded: bool,
) -> Result<Request, Stop> {
    let program = env::current_exe()
        .map_err(|e| Stop::failed("program", e, "run andamio by its full path"))?;
    let search = env::var_os("PATH").map(|p| env::split_paths(&p).collect()).unwrap_or_default();
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    Ok(Request {
        spec,
        text,
        as_recorded,
        env: env.to_owned(),
        place,
        identity: identity(&state, &folder),
        target: target.unwrap_or_else(|| folder.join("target")),
        project: folder,
        state,
        program,
        by: by(),
        search,
        access: access(),
        accept: std::collections::BTreeMap::new(),
    })
}

/// The instance of that environment which has a state there.
async fn instance_of(store: &Store, env: &str, place: Option<&str>) -> Result<String, Stop> {
    let all = store.instances().await.map_err(Failure::from)?;
    let fits = |name: &&String| match name.split_once('@') {
        Some((of, at)) => of == env && place.is_none_or(|place| place == at),
        None => false,
    };
    match all.iter().filter(fits).collect::<Vec<_>>().as_slice() {
        [one] => Ok((*one).clone()),
        [] if all.is_empty() => Err(Stop::usage(
            "there is no andamio.toml here, and the state is empty",
            "change to your project, or name another state with --state",
        )),
        [] => {
            let wanted = place.map_or(env.to_owned(), |place| format!("{env}@{place}"));
            let help = format!("it has {}", all.join(", "));
            Err(Stop::usage(format!("the state has no {wanted}"), &help))
        }
        several => {
            let names: Vec<&str> = several.iter().map(|name| name.as_str()).collect();
            let help = format!("name one: {}", names.join(", "));
            Err(Stop::usage(format!("the state has {} of {env}", names.len()), &help))
        }
    }
}

/// The state itself, which is named, or is that of the project.
pub(crate) fn state_of(global: &Global) -> Result<State, Stop> {
    let given = global.state.as_deref();
    let (place, folder) = if given.is_some() && find(global.file.as_deref()).is_err() {
        (state(given, None, Path::new("."))?, PathBuf::from("."))
    } else {
        let (project, spec) = Project::valid(global)?;
        let folder = project.folder();
        (state(given, Some(&spec), &folder)?, folder)
    };
    Ok(State { identity: identity(&place, &folder), place, by: by() })
}

/// What the verbs of `key` need to know.
pub(crate) fn ring(global: &Global) -> Result<TeamKeys, Stop> {
    let (project, spec) = Project::valid(global)?;
    let folder = project.folder();
    let state = state(global.state.as_deref(), Some(&spec), &folder)?;
    Ok(TeamKeys {
        store: Store::look(&state).map_err(Failure::from)?,
        identity: identity(&state, &folder),
        file: project.file,
        text: project.text,
        by: by(),
    })
}

/// Where a new project goes: the named file's folder, or this one.
pub(crate) fn fresh(global: &Global) -> Init {
    let file = global.file.clone().unwrap_or_else(|| PathBuf::from(NAME));
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let named = env::var_os("ANDAMIO_IDENTITY").map(PathBuf::from);
    // Shown to people, who write no `./`.
    let beside = file.with_file_name(STATE).join(IDENTITY);
    let identity = named.unwrap_or(beside);
    let user = by().split('@').next().unwrap_or_default().to_owned();
    Init { file, folder, identity, user }
}

/// The identity is this checkout's own, wherever the state is: a team shares the state, never a
/// private key. One that lies in a state's folder is that state's.
fn identity(state: &StatePlace, folder: &Path) -> PathBuf {
    if let Some(named) = env::var_os("ANDAMIO_IDENTITY") {
        return PathBuf::from(named);
    }
    if let StatePlace::Folder(state) = state
        && state.join(IDENTITY).exists()
    {
        return state.join(IDENTITY);
    }
    folder.join(STATE).join(IDENTITY)
}

fn find(given: Option<&Path>) -> Result<PathBuf, Stop> {
    if let Some(file) = given {
        return Ok(file.to_owned());
    }
    let here = env::current_dir()
        .map_err(|e| Stop::failed("folder", e, "change to a folder that exists"))?;
    let found = here.ancestors().map(|folder| folder.join(NAME)).find(|file| file.is_file());
    found.ok_or_else(|| {
        Stop::new(
            Exit::Spec,
            "no-file",
            format!("no {NAME} here or in a folder above"),
            "change to your project, or name the file with -f",
        )
    })
}

fn read(file: &Path) -> Result<String, Stop> {
    let stop = |message: String| {
        Stop::new(Exit::Spec, "unreadable", message, "name a readable text file with -f")
    };
    let open = |e| stop(format!("cannot read {}: {e}", file.display()));
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(open)?;
    // One byte more than may be there, so that the parser can say it is too large.
    opened.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(open)?;
    String::from_utf8(bytes).map_err(|e| {
        let line = e.as_bytes()[..e.utf8_error().valid_up_to()].split(|&b| b == b'\n').count();
        stop(format!("{}:{line}: this is not UTF-8 text", file.display()))
    })
}

/// What the command line names, else what the file names, else the folder beside the file.
fn state(given: Option<&str>, spec: Option<&Spec>, folder: &Path) -> Result<StatePlace, Stop> {
    let text: &str = match (given, spec.and_then(|spec| spec.project.state.as_ref())) {
        (Some(path), _) if !path.contains("://") => return Ok(StatePlace::Folder(path.into())),
        (Some(url), _) => url,
        (None, Some(url)) => url,
        (None, None) => return Ok(StatePlace::Folder(folder.join(STATE))),
    };
    match StateUrl::parse(text) {
        Ok(StateUrl::Folder(path)) => Ok(StatePlace::Folder(path.into())),
        Ok(StateUrl::Bucket { name, prefix }) => {
            let bucket = Bucket::new(&name, &prefix, s3()).map_err(Failure::from)?;
            Ok(StatePlace::Bucket(bucket))
        }
        Err(problem) => {
            // What is before an `@` may be a password.
            let shown = if text.contains('@') { "the URL of the state" } else { text };
            Err(Stop::new(
                Exit::Usage,
                "usage",
                format!("{shown} {problem}"),
                "name a folder or a bucket: --state DIR, file:///DIR, s3://BUCKET or s3://BUCKET/PREFIX",
            ))
        }
    }
}

/// How to get at a bucket, from the variables that other S3 clients read.
fn s3() -> S3Config {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    S3Config {
        endpoint: set("AWS_ENDPOINT_URL_S3").or_else(|| set("AWS_ENDPOINT_URL")),
        region: set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION")),
        key_id: set("AWS_ACCESS_KEY_ID"),
        secret: set("AWS_SECRET_ACCESS_KEY").map(Secret),
        token: set("AWS_SESSION_TOKEN").map(Secret),
        authorities: set("AWS_CA_BUNDLE").map(PathBuf::from),
    }
}

/// How to get at Linode's API, from the variables that its Terraform provider reads.
pub(crate) fn api() -> ApiConfig {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    ApiConfig {
        url: set("LINODE_URL"),
        version: set("LINODE_API_VERSION"),
        authorities: set("LINODE_CA").map(PathBuf::from),
    }
}

/// The person's own SSH keys and known hosts, for servers that exist already.
fn access() -> SshAccess {
    /// In ssh's own order.
    const KEYS: [&str; 6] =
        ["id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_dsa"];
    let folder = env::var_os("HOME").map(|home| PathBuf::from(home).join(".ssh"));
    let file = |name: &str| folder.as_ref().map(|f| f.join(name)).filter(|file| file.is_file());
    let set = |name: &str| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let everybody = PathBuf::from("/etc/ssh/ssh_known_hosts");
    SshAccess {
        // A key that was named and is not there is worth a word, so it is not looked for here.
        named: set("ANDAMIO_SSH_KEY"),
        usual: KEYS.into_iter().filter_map(file).collect(),
        agent: set("SSH_AUTH_SOCK"),
        known_hosts: ["known_hosts", "known_hosts2"]
            .into_iter()
            .filter_map(file)
            .chain(Some(everybody))
            .collect(),
        ..SshAccess::default()
    }
}

fn by() -> String {
    let name = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
    let user = name.map_or_else(|| nix::unistd::getuid().to_string(), |u| u.name);
    let host = nix::unistd::gethostname().unwrap_or_default();
    format!("{user}@{}", host.to_string_lossy())
}

/// Is there a person who can answer?
pub(crate) fn interactive() -> bool {
    use std::io::IsTerminal;
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}
