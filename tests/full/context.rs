//! 200 folders with ignore files, made up: what Andamio makes of each is what buildah itself puts into an image.

use crate::{small, trees};
use andamio_testkit::{Abandoned, Need, Scenario, Steps};

pub(crate) const SCENARIO: Scenario = Scenario { name: "context", need: Need::Machines, run: all };

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = small::project(1);
    let s = &sandbox;
    steps.must("a machine with buildah", || drop(s.ok(&["up", "one"])))?;
    let [files, images, sent] =
        steps.must("200 trees: the same images", || trees::compare(s, "one", "app-1", 200))?;
    steps.figure("trees", 200);
    steps.figure("files", files);
    steps.figure("in_images", images);
    steps.figure("sent", sent);
    steps.must("down", || drop(s.ok(&["down", "one", "-y"])))
}
