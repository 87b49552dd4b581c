//! Sums of what is sent: MD5 for the ETag, and those that the client names and must be right about.

use hyper::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{Checksum, ChecksumAlgorithm};
use s3s::{S3Error, S3Result, TrailingHeaders, s3_error};
use std::collections::BTreeMap;

/// Header, or trailer, of a sum behind `x-amz-checksum-`.
const NAMES: [&str; 5] = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"];

pub(super) struct Sums {
    md5: Md5,
    others: ChecksumHasher,
    /// By name, as the client says they are.
    given: BTreeMap<String, String>,
    content_md5: Option<String>,
    /// They come behind the body.
    trailers: Option<TrailingHeaders>,
}

/// Sums that are right.
#[derive(Debug, Default)]
pub(super) struct Summed {
    pub etag: String,
    pub checksums: BTreeMap<String, String>,
}

impl Sums {
    pub(super) fn new(
        headers: &HeaderMap,
        algorithm: Option<&ChecksumAlgorithm>,
        trailers: Option<TrailingHeaders>,
    ) -> Self {
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let header =
            |name: &&str| Some(((*name).to_owned(), text(&format!("x-amz-checksum-{name}"))?));
        let given: BTreeMap<String, String> = NAMES.iter().filter_map(header).collect();
        let announced = text("x-amz-trailer").unwrap_or_default();
        let algorithm = algorithm.map(|a| a.as_str().to_lowercase());
        let wanted = |name: &str| {
            given.contains_key(name)
                || algorithm.as_deref() == Some(name)
                || announced.trim() == format!("x-amz-checksum-{name}")
        };
        let others = ChecksumHasher {
            crc32: wanted("crc32").then(Default::default),
            crc32c: wanted("crc32c").then(Default::default),
            crc64nvme: wanted("crc64nvme").then(Default::default),
            sha1: wanted("sha1").then(Default::default),
            sha256: wanted("sha256").then(Default::default),
        };
        Self { md5: Md5::new(), others, given, content_md5: text("content-md5"), trailers }
    }

    /// Of what the emulator itself has.
    pub(super) fn plain() -> Self {
        Self::new(&HeaderMap::new(), None, None)
    }

    pub(super) fn update(&mut self, chunk: &[u8]) {
        self.md5.update(chunk);
        self.others.update(chunk);
    }

    /// # Errors
    /// The client named another sum than there is.
    pub(super) fn finish(mut self) -> S3Result<Summed> {
        let md5 = self.md5.finalize();
        if self.content_md5.is_some_and(|given| given != base64(&md5)) {
            return Err(s3_error!(BadDigest, "Content-MD5 is not that of the body"));
        }
        if let Some(trailers) = self.trailers.and_then(|t| t.take()) {
            for name in NAMES {
                let value = trailers.get(format!("x-amz-checksum-{name}"));
                if let Some(value) = value.and_then(|v| v.to_str().ok()) {
                    self.given.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        let checksums = by_name(self.others.finalize());
        for (name, given) in &self.given {
            if checksums.get(name).is_some_and(|there| there != given) {
                return Err(wrong(name));
            }
        }
        Ok(Summed { etag: hex::encode(md5), checksums })
    }
}

fn wrong(name: &str) -> S3Error {
    s3_error!(BadDigest, "x-amz-checksum-{} is not that of the body", name)
}

fn by_name(sums: Checksum) -> BTreeMap<String, String> {
    let all = [
        ("crc32", sums.checksum_crc32),
        ("crc32c", sums.checksum_crc32c),
        ("crc64nvme", sums.checksum_crc64nvme),
        ("sha1", sums.checksum_sha1),
        ("sha256", sums.checksum_sha256),
    ];
    all.into_iter().filter_map(|(name, sum)| Some((name.to_owned(), sum?))).collect()
}

/// Of the sums, which are short.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = ALPHABET.get(bits >> (18 - 6 * place) & 63).copied().unwrap_or_default();
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_every_length() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_sum_that_is_given_must_be_right() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-checksum-crc32", "NhCmhg==".parse().unwrap());
        let of = |body: &[u8]| {
            let mut sums = Sums::new(&headers, None, None);
            sums.update(body);
            sums.finish()
        };
        let summed = of(b"hello").unwrap();
        assert_eq!(summed.etag, "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(summed.checksums["crc32"], "NhCmhg==");
        assert_eq!(of(b"hellO").unwrap_err().code(), &s3s::S3ErrorCode::BadDigest);
    }
}
