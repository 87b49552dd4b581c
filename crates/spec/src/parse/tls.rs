//! `tls` of an environment.

use super::check;
use super::reader::{Field, Reader};
use crate::model::Tls;

const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
const LETS_ENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

pub(super) fn read(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Tls> {
    let help =
        "write \"off\", \"test\" or { acme = \"letsencrypt\", contact = \"you@example.com\" }";
    if let Some(text) = field.value.as_str() {
        return match text {
            "off" => Some(Tls::Off),
            "test" => Some(Tls::Test),
            _ => {
                reader.error("invalid-tls", field.at(), format!("no TLS `{text}`"), help);
                None
            }
        };
    }
    if !field.value.is_table() {
        reader.wrong_type(field, "string or table", help);
        return None;
    }
    let table = reader.table(field, help)?;
    reader.known(&table, &["acme", "contact", "roots"]);
    let directory = match table.get("acme") {
        Some(field) => acme(reader, &field),
        None => {
            reader.missing(&table, "acme", "add acme = \"letsencrypt\"");
            None
        }
    };
    let contact = match table.get("contact") {
        Some(field) => {
            let contact = reader.string(&field);
            if let Some(text) = contact.filter(|text| !check::is_email(text)) {
                let message = format!("`{text}` is not a mail address");
                let help = "the certificate authority warns it before a certificate expires";
                reader.error("invalid-contact", field.at(), message, help);
            }
            contact
        }
        None => {
            reader.missing(&table, "contact", "add contact = \"you@example.com\"");
            None
        }
    };
    let roots = match table.get("roots") {
        Some(field) => roots(reader, &field)?,
        None => String::new(),
    };
    Some(Tls::Acme { directory: directory?, contact: contact?.to_owned(), roots })
}

/// For an authority of one's own, whose address no public authority vouches for.
fn roots(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    let text = reader.string(field)?;
    if text.contains("-----BEGIN CERTIFICATE-----") && text.contains("-----END CERTIFICATE-----") {
        return Some(text.to_owned());
    }
    let help = "write the certificates themselves, PEM, between three quotation marks";
    reader.error("invalid-roots", field.at(), "no certificate is in it", help);
    None
}

fn acme(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    match reader.string(field)? {
        "letsencrypt" => Some(LETS_ENCRYPT.to_owned()),
        "letsencrypt-staging" => Some(LETS_ENCRYPT_STAGING.to_owned()),
        url if url.starts_with("https://") && url.len() > 8 && check::is_plain_word(url) => {
            Some(url.to_owned())
        }
        other => {
            let message = format!("no certificate authority `{other}`");
            let help = "write \"letsencrypt\", \"letsencrypt-staging\" or a directory's https URL";
            reader.error("invalid-acme", field.at(), message, help);
            None
        }
    }
}
