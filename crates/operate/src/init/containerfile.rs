//! What a Containerfile says about how its image runs.

/// Of the last stage; what it does not say, an earlier one may.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) ports: Vec<u16>,
    pub(super) entrypoint: Vec<String>,
    pub(super) command: Vec<String>,
    pub(super) volumes: Vec<String>,
    /// Path that a health check asks for.
    pub(super) ready: Option<String>,
}

impl Image {
    pub(super) fn parse(text: &str) -> Self {
        let mut image = Self::default();
        let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
        for line in joined.lines().map(str::trim) {
            let Some((word, rest)) = line.split_once(char::is_whitespace) else { continue };
            let rest = rest.trim();
            match word.to_ascii_uppercase().as_str() {
                "EXPOSE" => image.ports.extend(rest.split_whitespace().filter_map(port)),
                "ENTRYPOINT" => {
                    image.entrypoint = words(rest);
                    image.command = Vec::new();
                }
                "CMD" => image.command = words(rest),
                "VOLUME" => image.volumes.extend(words_of_list(rest)),
                "HEALTHCHECK" => image.ready = ready(rest),
                _ => {}
            }
        }
        image
    }

    /// Program and arguments, with `arguments` in place of the image's own where there are any.
    pub(super) fn run(&self, arguments: Option<&[String]>) -> Vec<String> {
        let mut run = self.entrypoint.clone();
        run.extend_from_slice(arguments.unwrap_or(&self.command));
        run
    }
}

fn port(word: &str) -> Option<u16> {
    word.split('/').next()?.parse().ok().filter(|port| *port > 0)
}

/// `["a", "b"]`, or a line for a shell.
pub(super) fn words(text: &str) -> Vec<String> {
    if let Ok(words) = serde_json::from_str::<Vec<String>>(text) {
        return words;
    }
    // Words that mean nothing to a shell need none; images made from scratch have none.
    let plain = |c: char| c.is_ascii_alphanumeric() || " -_./:=,@+".contains(c);
    if text.chars().all(plain) {
        return text.split_whitespace().map(str::to_owned).collect();
    }
    ["/bin/sh", "-c", text].map(str::to_owned).to_vec()
}

fn words_of_list(text: &str) -> Vec<String> {
    let list = serde_json::from_str::<Vec<String>>(text);
    let list = list.unwrap_or_else(|_| text.split_whitespace().map(str::to_owned).collect());
    // Variables and odd characters are for a person to look at.
    let plain = |path: &String| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_./+".contains(c);
        path.starts_with('/') && path.chars().all(allowed) && !path.contains("..")
    };
    let mut paths: Vec<String> = Vec::new();
    for path in list.into_iter().filter(plain) {
        if !path.trim_matches('/').is_empty() && !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// The path of the first `http://HOST/PATH` of a line.
pub(super) fn ready(text: &str) -> Option<String> {
    let url = text.split_once("http://")?.1;
    let end = url.find(|c: char| c.is_whitespace() || "\"',]|)".contains(c)).unwrap_or(url.len());
    let path = url[..end].find('/').map_or("/", |slash| &url[slash..end]);
    Some(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::Image;

    #[test]
    fn how_an_image_runs() {
        let text = "FROM x AS build\nRUN make\nFROM scratch\nEXPOSE 8080/tcp $PORT \\\n 9090\nVOLUME [\"/data\"]\n\
                    HEALTHCHECK CMD curl -f http://localhost:8080/healthz || exit 1\n\
                    ENTRYPOINT [\"app\"]\ncmd serve --fast\n";
        let image = Image::parse(text);
        assert_eq!(
            (image.ports.as_slice(), image.volumes.as_slice()),
            (&[8080, 9090][..], &["/data".to_owned()][..])
        );
        assert_eq!(image.run(None), ["app", "serve", "--fast"]);
        assert_eq!(image.run(Some(&["work".to_owned()])), ["app", "work"]);
        assert_eq!(image.ready.as_deref(), Some("/healthz"));
        let shell = Image::parse("CMD node server.js && true\n");
        assert_eq!(shell.run(None), ["/bin/sh", "-c", "node server.js && true"]);
    }
}
