//! A list of resources that grows; what is added gives its id, for `restart_on`.

use andamio_manifest::{Directory, File, Kind, Package, Resource, Store, Text, Unit, User};

/// Shell of an account that nobody logs in to.
pub(crate) const NOLOGIN: &str = "/usr/sbin/nologin";

pub(crate) struct Resources {
    role: &'static str,
    list: Vec<Resource>,
}

impl Resources {
    pub(crate) fn of(role: &'static str) -> Self {
        Self { role, list: Vec::new() }
    }

    /// Appends and answers the id.
    pub(crate) fn add(&mut self, kind: Kind) -> String {
        let resource = Resource::new(self.role, kind);
        let id = resource.id();
        self.list.push(resource);
        id
    }

    pub(crate) fn packages(&mut self, names: &[&str]) -> String {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        self.add(Kind::Package(Package { names, absent: false }))
    }

    /// The folder of a drop-in is declared before it: most are not there on a new machine.
    pub(crate) fn file(&mut self, file: File) -> String {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if folder.ends_with(".d") {
            let kind = directory(folder, 0o755, ("root", "root"));
            let resource = Resource::new(self.role, kind);
            if self.list.iter().all(|known| known.id() != resource.id()) {
                self.list.push(resource);
            }
        }
        self.add(Kind::File(file))
    }

    /// A service's account, before its package: so that one that was deleted gets back the number that owns its files.
    pub(crate) fn account(&mut self, name: &str, (home, shell): (&str, &str), owns: &str) {
        self.add(Kind::User(User {
            name: name.to_owned(),
            uid: None,
            group: name.to_owned(),
            home: home.to_owned(),
            shell: shell.to_owned(),
            owns: Some(owns.to_owned()),
        }));
    }

    /// Units that a package brings and nobody asked for.
    pub(crate) fn off(&mut self, names: &[&str]) {
        for name in names {
            self.unit(Unit { enabled: Some(false), running: Some(false), ..unit(name) });
        }
    }

    pub(crate) fn unit(&mut self, unit: Unit) -> String {
        self.add(Kind::Unit(unit))
    }

    pub(crate) fn into_list(self) -> Vec<Resource> {
        self.list
    }
}

/// A public file of root: 0644.
pub(crate) fn file(path: &str, text: impl Into<String>) -> File {
    File {
        path: path.to_owned(),
        content: Some(Text { text: text.into(), sensitive: false }),
        mode: 0o644,
        owner: "root".to_owned(),
        group: "root".to_owned(),
        validate: Vec::new(),
    }
}

/// A file that a service account may read and nobody else; its content is never shown.
pub(crate) fn secret_file(
    path: &str,
    text: impl Into<String>,
    owner: (&str, &str),
    mode: u32,
) -> File {
    File {
        content: Some(Text { text: text.into(), sensitive: true }),
        mode,
        owner: owner.0.to_owned(),
        group: owner.1.to_owned(),
        ..file(path, "")
    }
}

pub(crate) fn sensitive(text: &str) -> Text {
    Text { text: text.to_owned(), sensitive: true }
}

pub(crate) fn directory(path: &str, mode: u32, owner: (&str, &str)) -> Kind {
    Kind::Directory(Directory {
        path: path.to_owned(),
        mode,
        owner: owner.0.to_owned(),
        group: owner.1.to_owned(),
        exclusive: false,
    })
}

/// A service's data: there while one of `holds` is.
pub(crate) fn store(path: &str, mode: u32, owner: &str, holds: &[&str], unit: &str) -> Store {
    Store {
        path: path.to_owned(),
        mode,
        owner: owner.to_owned(),
        group: owner.to_owned(),
        holds: strings(holds),
        init: Vec::new(),
        units: vec![unit.to_owned()],
    }
}

/// Enabled and running.
pub(crate) fn unit(name: &str) -> Unit {
    Unit {
        name: name.to_owned(),
        enabled: Some(true),
        masked: false,
        running: Some(true),
        restart_on: Vec::new(),
        reload_on: Vec::new(),
        disrupts: false,
    }
}

pub(crate) fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
