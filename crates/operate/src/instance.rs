//! One environment at one place, opened: what is declared, where its state and machines are, and the
//! keys to them.

use crate::access::{self, SshAccess};
use crate::actor::{Actors, Me, Standing};
use crate::desired::Desired;
use crate::ownership::{self, Owner, Ownership};
use crate::{Failure, Kind, Nodes, Secrets, machine_image, new_identity};
use andamio_converge::secret_names;
use andamio_engine::{ErrorReport, Holder, Ledger, RunRecord, StatePlace, Store};
use andamio_provision::local::{Image, Local, Roots, allocate, missing_packages, preflight};
use andamio_provision::{Found, Inventory, MachineState, Provider};
use andamio_remote::SshKey;
use andamio_spec::model::GroupSpec;
use andamio_spec::topology::Network;
use andamio_spec::{Environment, Place, Spec, Topology, suggest, topology};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// What the caller knows: everything that comes from a terminal, a home folder or the environment
/// arrives here as a value.
#[derive(Debug, Clone)]
pub struct Request {
    pub spec: Spec,
    pub env: String,
    /// `--on`; else the environment's own place.
    pub place: Option<String>,
    /// Text that `spec` was read from.
    pub text: String,
    /// What the state says is wanted, in place of `spec` and the application's source.
    pub as_recorded: bool,
    /// Folder of `andamio.toml`.
    pub project: PathBuf,
    pub state: StatePlace,
    pub identity: PathBuf,
    /// This very program: it is what runs on the machines.
    pub program: PathBuf,
    /// `user@host`.
    pub by: String,
    /// The caller's search path, for host programs.
    pub search: Vec<PathBuf>,
    /// Cargo's target folder: build context `target` of a Containerfile.
    pub target: PathBuf,
    /// The person's own way into servers that exist already.
    pub access: SshAccess,
    /// Refusals that the person overrides: code, and the reason given.
    pub accept: BTreeMap<String, String>,
}

pub struct Instance {
    pub request: Request,
    pub environment: Environment,
    pub topology: Topology,
    pub store: Store,
    /// Whose it is.
    pub owner: Owner,
    /// What the state says is wanted.
    pub desired: Option<Desired>,
    pub provider: Provider,
    pub secrets: Secrets,
    /// Whom machines let in besides the instance itself, as the state says it.
    pub(crate) actors: Actors,
    /// Whoever calls; `None` where there is no identity, or nothing yet that it reads.
    me: Option<Me>,
    pub nodes: Nodes,
    /// `/etc/resolv.conf` of the machines, where this place says it: it follows the host's.
    pub resolver: Option<String>,
    /// Counts of machines that stay as recorded, though the file starts with others: one remark each.
    pub(crate) kept_counts: Vec<String>,
    /// Keys of the person that cannot be tried, and why.
    pub(crate) skipped_keys: Vec<String>,
}

impl Instance {
    /// Reads the state and looks at the place; what else it makes is said by `mode`. Missing secrets are made up in memory
    /// where they cannot be written.
    ///
    /// # Errors
    /// When there is no such environment or place, when the identity does not fit, when the state cannot be written,
    /// and when the host cannot do it.
    pub async fn open(mut request: Request, mode: OpenMode) -> Result<Self, Failure> {
        let make = matches!(mode, OpenMode::State | OpenMode::Machines);
        let declared = find(&request.spec, &request.env)?;
        let place = request.place.clone().unwrap_or_else(|| declared.on.clone());
        let instance = format!("{}@{place}", request.env);
        let store = if make { Store::open(&request.state) } else { Store::look(&request.state) }?;
        let store = store.instance(&instance);
        let mut desired = Desired::newest(&store).await?;
        if request.as_recorded {
            let recorded = match desired {
                Some(recorded) => recorded,
                None => Desired::recorded(&store, &instance).await?,
            };
            (request.spec, request.text) = (recorded.spec()?, recorded.file.clone());
            desired = Some(recorded);
        }
        let declared = find(&request.spec, &request.env)?;
        request.spec = request.spec.in_environment(&request.env);
        if let Some(recorded) = &desired {
            request.spec = request.spec.with_counts(&request.env, &recorded.counts);
        }
        let (owner, ownership) =
            ownership::look(&store, &request.state, &instance, &request.by).await?;
        match ownership {
            Ownership::Copied => return Err(ownership::copied(&owner, &instance)),
            Ownership::New | Ownership::Moved if make => owner.record(&store).await?,
            Ownership::New | Ownership::Moved | Ownership::Own => {}
        }
        let environment = find(&request.spec, &request.env)?;
        let kept_counts = kept_counts(&declared, &environment);
        let (provider, network) = match kind(&request.spec, &place)? {
            Place::Hosts { .. } => {
                let addresses = access::resolve(&request.spec, &place).await?;
                let hosts =
                    access::open(&request.spec, &request.access, &place, &addresses, &store)
                        .await?;
                request.spec = request.spec.with_addresses(&place, &addresses);
                (Provider::Hosts(hosts), Network { base: Ipv4Addr::UNSPECIFIED })
            }
            _ => {
                let local = local(&owner.id, environment.network, mode)?;
                let network = local.network;
                (Provider::Local(local), network)
            }
        };
        let topology = topology::compute(&request.spec, &request.env, &place, network)
            .map_err(|e| Failure::error(Kind::Refused, "topology", &e, e.help()))?;
        access::check_topology(&provider, &topology)?;
        let (mut secrets, unread) = match Secrets::load(&store, &request.identity).await {
            Err(failure) if mode == OpenMode::Look && failure.kind == Kind::Host => {
                let own = Actors::read(&store).await?.operator;
                (Secrets::closed(&store, &own).await?, Some(failure))
            }
            loaded => (loaded?, None),
        };
        let there = provider.observe(&topology);
        let stands = |found: &Found| found.state != MachineState::Missing;
        if !there.machines.iter().any(stands) && there.surplus.is_empty() {
            secrets.forget_former_authority();
        }
        let wanted = secret_names(&request.spec, &topology);
        let added = unread.is_none() && secrets.complete(&wanted)?;
        if added && make {
            if !request.identity.exists() {
                new_identity(&request.identity)?;
            }
            let recipients = secrets.readers(&request.spec.project.team, &request.identity)?;
            secrets.save(&store, &recipients).await?;
        }
        let me = if make || secrets.are_stored() {
            Me::find(&request.identity, &request.text, &request.by)?
        } else {
            None
        };
        let actors = match &me {
            Some(me) if make => {
                me.key.keep();
                Actors::enrolled(&store, &secrets, me).await?
            }
            // What they say is only compared.
            _ if unread.is_some() => Actors::read(&store).await?,
            _ => Actors::trusted(&store, &secrets).await?,
        };
        let let_in = |me: &Me| actors.standing(me.key.public()) == Standing::Active;
        if let (Some(failure), Provider::Local(_)) = (unread, &provider)
            && !me.as_ref().is_some_and(let_in)
        {
            return Err(failure);
        }
        let own = me.as_ref().map(|me| me.key.identity()).transpose()?;
        let mut identities: Vec<SshKey> = own.into_iter().collect();
        identities.extend(secrets.ssh_identities()?);
        let person = match provider {
            Provider::Hosts(_) => access::person(&request.access).await?,
            Provider::Local(_) => access::Person::default(),
        };
        identities.extend(person.identities);
        let at_once = match provider {
            Provider::Local(_) => std::thread::available_parallelism().map_or(2, NonZero::get),
            Provider::Hosts(_) => Semaphore::MAX_PERMITS,
        };
        let nodes = Nodes::new(identities, &request.program, at_once);
        let resolver = match &provider {
            Provider::Local(local) => Some(local.resolver().text),
            Provider::Hosts(_) => None,
        };
        let skipped_keys = person.skipped;
        Ok(Self {
            request,
            environment,
            topology,
            store,
            owner,
            desired,
            provider,
            secrets,
            actors,
            me,
            nodes,
            resolver,
            kept_counts,
            skipped_keys,
        })
    }

    /// `env@place`.
    #[must_use]
    pub fn name(&self) -> String {
        self.topology.instance()
    }

    #[must_use]
    pub fn inventory(&self) -> Inventory {
        self.provider.observe(&self.topology)
    }

    /// The share of this host that machines are made of.
    ///
    /// # Errors
    /// Where machines exist already: what only this place can do is refused.
    pub fn local(&self) -> Result<&Local, ErrorReport> {
        match &self.provider {
            Provider::Local(local) => Ok(local),
            Provider::Hosts(hosts) => Err(access::cannot(&hosts.place)),
        }
    }

    /// What this host lacks, all of it in one failure; `Ok(packages)` are Debian packages that can be
    /// installed now.
    ///
    /// # Errors
    /// [`Kind::Host`] with everything that is missing.
    pub fn check_host(&self) -> Result<Vec<&'static str>, Failure> {
        let Provider::Local(local) = &self.provider else { return Ok(Vec::new()) };
        let machines = self.inventory().machines;
        let new = machines.iter().filter(|m| m.state == MachineState::Missing).count();
        let missing = preflight(&local.roots, new as u64, local.image.is_built());
        let packages = missing_packages(&self.request.search);
        let apt = std::path::Path::new("/usr/bin/apt-get").exists();
        if missing.is_empty() && (packages.is_empty() || apt) {
            return Ok(packages);
        }
        let mut says: Vec<String> = missing.iter().map(|m| m.message.clone()).collect();
        let mut helps: Vec<String> = missing.iter().map(|m| m.help.clone()).collect();
        if !packages.is_empty() {
            says.push(format!("programs of these packages are missing: {}", packages.join(", ")));
            helps.push(format!("apt-get install {}", packages.join(" ")));
        }
        let code = missing.first().map_or("packages", |m| m.code);
        Err(Failure::new(Kind::Host, code, says.join("; "), &helps.join("; ")))
    }

    /// The state for writing, made when it is not there: for the lock, which comes before everything
    /// else that is made.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn writable(&self) -> Result<Store, Failure> {
        Ok(Store::open(&self.request.state)?.instance(&self.name()))
    }

    #[must_use]
    pub fn holder(&self) -> Holder {
        Holder::current(&self.request.by)
    }

    /// Appends an entry to the ledger, signed by whoever calls.
    ///
    /// # Errors
    /// When the state cannot be written, or the caller's key was taken away.
    pub async fn note(&self, entry: RunRecord) -> Result<RunRecord, Failure> {
        let mut ledger = Ledger::new(self.store.clone());
        if let Some(me) = &self.me {
            if self.actors.standing(me.key.public()) != Standing::Active {
                // Opened to look, and something is done nevertheless: `down`, a drill, a lock that is ended.
                Actors::enrolled(&self.store, &self.secrets, me).await?;
            }
            ledger = ledger.signed(Arc::new(me.key.clone()));
        }
        Ok(ledger.append(entry).await?)
    }

    /// Keys that machines let in, as the state says it: lines of `authorized_keys`.
    pub(crate) fn known_keys(&self) -> Vec<String> {
        self.actors.lines(&self.secrets, None)
    }

    /// The same after a run of whoever calls, who is enrolled by it.
    pub(crate) fn wanted_keys(&self) -> Vec<String> {
        let new = |me: &&Me| self.actors.standing(me.key.public()) == Standing::Unknown;
        self.actors.lines(&self.secrets, self.me.as_ref().filter(new))
    }

    /// The first entry of a run here.
    #[must_use]
    pub fn entry(&self, verb: &str) -> RunRecord {
        RunRecord::begin(verb, &self.topology.env, &self.topology.place, &self.request.by)
    }
}

/// How much is made when an instance is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// As `ReadOnly`, for what needs no secret: who cannot read them, and has a key that machines let in, goes on without.
    Look,
    /// Nothing is made, on disk or elsewhere.
    ReadOnly,
    /// State folder, identity, secrets, and the place of whoever calls among the actors; nothing of machines.
    State,
    /// All that has to exist before machines, the claim of a network included.
    Machines,
}

pub(crate) type Shared = Arc<Instance>;

/// How soon it is noticed that a machine ended; the connection itself takes a quarter of a minute.
const LOOK: Duration = Duration::from_millis(300);

/// Work on a machine, which is over as soon as the machine is.
pub(crate) async fn while_it_runs<T>(
    instance: &Instance,
    machine: &str,
    work: impl Future<Output = Result<T, ErrorReport>>,
) -> Result<T, ErrorReport> {
    let ended = async {
        while instance.provider.runs(machine) {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        biased;
        result = work => result,
        () = ended => {
            instance.nodes.forget(machine).await;
            Err(ErrorReport::new(
                "machine-off",
                format!("{machine} was switched off, or ended, in the middle of the work"),
                "run the same command again: it starts the machine, whose disk is there, and goes on",
            ))
        }
    }
}

fn kept_counts(declared: &Environment, used: &Environment) -> Vec<String> {
    let both = declared.groups.iter().zip(&used.groups);
    let differ = both.filter(|((_, declared), (_, used))| declared.machines != used.machines);
    let differ = differ.map(|((group, declared), (_, used))| {
        let GroupSpec { machines, max, .. } = declared;
        let used = used.machines;
        format!(
            "{group} stays at {used} machines, as recorded: andamio.toml has {machines} to {max}"
        )
    });
    differ.collect()
}

pub(crate) fn find(spec: &Spec, env: &str) -> Result<Environment, Failure> {
    if let Some(found) = spec.environments.iter().find(|e| e.name == env) {
        return Ok(found.clone());
    }
    let names: Vec<&str> = spec.environments.iter().map(|e| e.name.as_str()).collect();
    let help = match suggest(env, &names) {
        Some(near) => format!("did you mean `{near}`? andamio.toml has {}", names.join(", ")),
        None => format!("andamio.toml has {}", names.join(", ")),
    };
    Err(Failure::new(Kind::Usage, "environment", format!("no environment `{env}`"), &help))
}

fn kind<'s>(spec: &'s Spec, place: &str) -> Result<&'s Place, Failure> {
    let message = match spec.places.get(place) {
        Some(Place::Linode { .. }) => {
            let message =
                format!("this version cannot make machines at `{place}`, only on this machine");
            let help = format!(
                "rehearse it here with --on local; `andamio plan ENV --on {place} --render` writes what \
                 Terraform needs, and terraform/README.md says how to apply that by hand"
            );
            return Err(Failure::new(Kind::Usage, "place", message, &help));
        }
        Some(kind) => return Ok(kind),
        None if place == "hosts" => {
            let help = "add [places.hosts] with machines = [{ address = \"…\", groups = [\"…\"] }]";
            return Err(Failure::new(
                Kind::Usage,
                "place",
                "`hosts` needs its list of machines in andamio.toml",
                help,
            ));
        }
        None => format!("no place `{place}`"),
    };
    Err(Failure::new(Kind::Usage, "place", message, "rehearse it here with --on local"))
}

fn local(id: &str, wanted: Option<Network>, mode: OpenMode) -> Result<Local, Failure> {
    let roots = Roots::default();
    let network = allocate(&roots.data, id, wanted, mode == OpenMode::Machines)?;
    let image = Image::of(&roots, &machine_image());
    Ok(Local { roots, id: id.to_owned(), network, image })
}
