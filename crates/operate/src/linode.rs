//! `plan` of an environment at a place of kind `linode`: what its Terraform files say, against
//! andamio.toml. Nothing there is asked: what is live, Terraform's own plan shows.

use crate::instance::find;
use crate::plan::{Change, CostChange, PlanReport, Reason, Refused};
use crate::{Failure, Kind, Request, accept};
use andamio_provision::linode::{self, ApiConfig, ApiError, Offers};
use andamio_provision::terraform::{self, RenderError};
use andamio_spec::price::{Prices, cost_at, month_of};
use andamio_spec::{
    Environment, Place, check_budget, check_limits, check_traffic, check_types, counts,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

/// What is declared, and the file that says the same to Terraform.
pub struct Terraform {
    pub report: PlanReport,
    pub file: PathBuf,
    /// What rendering writes; `None` where andamio.toml is refused.
    pub text: Option<String>,
    /// The file is there and says something else.
    pub overwrites: bool,
}

/// Is the environment's place one of Linode?
#[must_use]
pub fn is_place(request: &Request) -> bool {
    let env = request.spec.environments.iter().find(|env| env.name == request.env);
    let place = request.place.as_ref().or(env.map(|env| &env.on));
    place.is_some_and(|p| matches!(request.spec.places.get(p), Some(Place::Linode { .. })))
}

/// What everything costs at Linode now.
///
/// # Errors
/// When the API does not answer with its prices.
pub async fn offers(access: &ApiConfig) -> Result<Offers, Failure> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string();
    linode::offers(access, &today).await.map_err(|error| {
        let (kind, help) = match &error {
            ApiError::Address(_) => {
                (Kind::Usage, "set LINODE_URL to https://HOST, or leave it out")
            }
            ApiError::Https(_) => (
                Kind::Host,
                "set LINODE_CA to a readable file of PEM certificates, or leave it out",
            ),
            _ => (
                Kind::Failed,
                "run the same command again, or without --live: the recorded list needs no network",
            ),
        };
        Failure::error(kind, "prices", &error, help)
    })
}

/// Reads the environment's `terraform.tfvars` and compares. Changes nothing.
///
/// # Errors
/// When the environment is unknown, or a file is there that cannot be read.
pub fn plan(request: &Request) -> Result<Terraform, Failure> {
    let env = find(&request.spec, &request.env)?;
    let place = request.place.as_ref().unwrap_or(&env.on);
    let relative = terraform::file(&env.name);
    let file = request.project.join(&relative);
    let found = match fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            let message = format!("cannot read {}: {error}", file.display());
            let help = "make it a readable text file, or remove it";
            return Err(Failure::new(Kind::Failed, "terraform", message, help));
        }
    };
    let text = match terraform::render(&request.spec, &env.name, place) {
        Ok(text) => Some(text),
        // The same is refused already, with its rule.
        Err(RenderError::Cost(_)) => None,
        Err(error) => return Err(Failure::error(Kind::Refused, "terraform", &error, error.help())),
    };
    let before = found.as_deref().and_then(terraform::bought);
    let cost = cost(request, &env, place, before.as_ref());
    let diff = text.as_ref().map_or_else(String::new, |text| {
        terraform::diff(found.as_deref().unwrap_or_default(), text)
    });
    let changes = (!diff.is_empty()).then(|| Change {
        machine: String::new(),
        resource: relative.display().to_string(),
        action: if found.is_some() { "change" } else { "create" }.to_owned(),
        reason: Reason::Spec,
        diff,
        disrupts: false,
    });
    let overwrites = found.is_some() && changes.is_some();
    let mut notes = vec![
        "Linode itself is not asked: what would change there, `terraform plan` shows".to_owned(),
    ];
    if overwrites {
        notes.push("lines with - are in the file now and would be overwritten".to_owned());
    }
    if found.is_some() && before.is_none() {
        notes.push("the file as it is cannot be priced: its cost counts as 0".to_owned());
    }
    if !request.project.join("terraform/modules").is_dir() {
        notes.push(
            "there is no terraform/modules beside andamio.toml: copy the tree first".to_owned(),
        );
    }
    let (refusals, accepted) = accept::split(refusals(request, &env, place), &request.accept);
    notes.extend(accept::notes(&accepted));
    let changes = changes.into_iter().collect();
    let report = PlanReport {
        env: env.name.clone(),
        place: place.clone(),
        changes,
        cost,
        refusals,
        notes,
        ..PlanReport::default()
    };
    let report = report.sealed();
    Ok(Terraform { report, file, text, overwrites })
}

fn refusals(request: &Request, env: &Environment, place: &str) -> Vec<Refused> {
    let currency = request.spec.project.currency;
    let over = cost_at(&request.spec, &env.name, place).ok().as_ref().and_then(check_budget);
    check_limits(env, &counts(env))
        .into_iter()
        .chain(check_types(&request.spec, env, place))
        .chain(check_traffic(env, currency))
        .chain(over)
        .map(accept::refused)
        .collect()
}

/// From what the file declares to what andamio.toml does.
fn cost(
    request: &Request,
    env: &Environment,
    place: &str,
    before: Option<&(Vec<andamio_spec::price::Bought>, String)>,
) -> Option<CostChange> {
    let currency = request.spec.project.currency;
    let after = cost_at(&request.spec, &env.name, place).ok()?;
    Some(CostChange {
        currency: currency.as_str().to_owned(),
        month_before: before
            .map_or(0.0, |(bought, region)| month_of(bought, &Prices::recorded(region), currency)),
        month_after: after.total_month,
        budget: env.budget.map(f64::from),
    })
}

impl Terraform {
    /// Writes the file; whole, or not at all.
    ///
    /// # Errors
    /// When andamio.toml is refused, or the file cannot be written.
    pub fn render(&self) -> Result<(), Failure> {
        let Some(text) = &self.text else {
            let message = "no machine is sold for what andamio.toml declares";
            return Err(Failure::new(Kind::Refused, "quota", message, "see `andamio plan`"));
        };
        let failure = |error: std::io::Error| {
            let message = format!("cannot write {}: {error}", self.file.display());
            let help = "make the folder writable; the tree belongs beside andamio.toml";
            Failure::new(Kind::Failed, "terraform", message, help)
        };
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder).map_err(failure)?;
        }
        let new = self.file.with_extension("tfvars.new");
        fs::write(&new, text).map_err(failure)?;
        fs::rename(&new, &self.file).map_err(failure)
    }
}
