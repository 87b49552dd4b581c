//! Addresses that are signed: whoever has one may do that one thing for a while (Amazon S3 API
//! reference, "Authenticating requests: using query parameters").

use hmac::{Hmac, Mac};
use s3s::{S3Result, s3_error};
use sha2::{Digest, Sha256};

/// As in an address: all but letters, digits and `-._~`, and slashes where they separate.
pub(crate) fn encode(text: &str, slashes: bool) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || slashes && byte == b'/' {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// # Errors
/// It is not what [`encode`] makes.
pub(crate) fn decode(text: &str) -> S3Result<String> {
    let wrong = || s3_error!(InvalidArgument, "This is no name as addresses have it");
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or_else(wrong)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

/// What may be done with an address, and who says so.
pub(crate) struct Signed<'a> {
    pub method: &'a str,
    /// With the scheme: `http://127.0.0.1:9000`.
    pub endpoint: &'a str,
    pub bucket: &'a str,
    pub name: &'a str,
    pub region: &'a str,
    pub access_key: &'a str,
    pub secret: &'a str,
    pub seconds: u64,
}

impl Signed<'_> {
    pub(crate) fn url(&self, now: jiff::Timestamp) -> String {
        let (day, moment) =
            (now.strftime("%Y%m%d").to_string(), now.strftime("%Y%m%dT%H%M%SZ").to_string());
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let credential = encode(&format!("{}/{scope}", self.access_key), false);
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={moment}\
             &X-Amz-Expires={}&X-Amz-SignedHeaders=host",
            self.seconds
        );
        let path = format!("/{}/{}", self.bucket, encode(self.name, true));
        let host = self.endpoint.split_once("://").map_or(self.endpoint, |(_, host)| host);
        let request =
            format!("{}\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD", self.method);
        let digest = hex::encode(Sha256::digest(request.as_bytes()));
        let text = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}");
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for part in [day.as_str(), self.region, "s3", "aws4_request"] {
            key = sign(&key, part);
        }
        let signature = hex::encode(sign(&key, &text));
        format!("{}{path}?{query}&X-Amz-Signature={signature}", self.endpoint)
    }
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    // A key of any length will do.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_addresses() {
        for name in ["plain/name-1._~", "ñ 100% + a&b=c?", "..//."] {
            assert_eq!(decode(&encode(name, false)).unwrap(), name);
            assert_eq!(decode(&encode(name, true)).unwrap(), name);
        }
        assert_eq!(encode("a/b c", true), "a/b%20c");
        for wrong in ["%", "%2", "%zz", "%ff"] {
            assert!(decode(wrong).is_err(), "{wrong}");
        }
    }

    /// The example of the reference, whose host is a bucket's.
    #[test]
    fn the_signature_of_the_reference() {
        let mut key = b"AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_vec();
        for part in ["20130524", "us-east-1", "s3", "aws4_request"] {
            key = sign(&key, part);
        }
        let text = "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n\
                    3bfa292879f6447bbcda7001decf97f4a54dc650c8942174ae0a9121cf58ad04";
        assert_eq!(
            hex::encode(sign(&key, text)),
            "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
    }
}
