//! nft's JSON without what changes by itself: handles, counters, elements that rules add.

use crate::failure::{Context, Result};
use serde_json::Value;

/// The objects of a listing, one a line, in nft's order (the order of rules has a meaning).
pub(super) fn lines(json: &str) -> Result<String> {
    let listing: Value = serde_json::from_str(json).during("reading nft's answer")?;
    let objects = listing.get("nftables").and_then(Value::as_array);
    let mut lines = String::new();
    for object in objects.into_iter().flatten() {
        if object.get("metainfo").is_some() {
            continue;
        }
        let mut object = object.clone();
        strip(&mut object);
        lines.push_str(&object.to_string());
        lines.push('\n');
    }
    Ok(lines)
}

fn strip(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Object(map) => {
            map.remove("handle");
            for key in ["packets", "bytes", "used"] {
                // A counter has these two; a quota has what was used.
                map.remove(key);
            }
            let grows = |flag: &Value| matches!(flag.as_str(), Some("dynamic" | "timeout"));
            let dynamic = match map.get("flags") {
                Some(Value::Array(flags)) => flags.iter().any(grows),
                Some(flag) => grows(flag),
                None => false,
            };
            if dynamic {
                map.remove("elem");
            }
            map.values_mut().for_each(strip);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(packets: u32, handle: u32, port: u16) -> String {
        format!(
            r#"{{"nftables":[{{"metainfo":{{"version":"1.1.3"}}}},
            {{"table":{{"family":"inet","name":"andamio","handle":{handle}}}}},
            {{"set":{{"name":"seen","flags":["dynamic","timeout"],"elem":["10.0.0.{packets}"],"handle":2}}}},
            {{"rule":{{"chain":"in","handle":3,"expr":[
              {{"match":{{"op":"==","left":{{"payload":{{"protocol":"tcp","field":"dport"}}}},"right":{port}}}}},
              {{"counter":{{"packets":{packets},"bytes":9}}}},{{"accept":null}}]}}}}]}}"#
        )
    }

    #[test]
    fn only_rules_matter() {
        let one = lines(&listing(1, 7, 22)).unwrap();
        assert_eq!(one, lines(&listing(2, 8, 22)).unwrap());
        assert_ne!(one, lines(&listing(1, 7, 23)).unwrap());
        insta::assert_snapshot!(one, @r#"
        {"table":{"family":"inet","name":"andamio"}}
        {"set":{"name":"seen","flags":["dynamic","timeout"]}}
        {"rule":{"chain":"in","expr":[{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":22}},{"counter":{}},{"accept":null}]}}
        "#);
    }
}
