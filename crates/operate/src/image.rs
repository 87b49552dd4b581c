//! What is in the image that the machines of a host share: all that any role needs.

use andamio_converge::{RoleTable, tables};
use andamio_provision::local::Recipe;

/// How it is made.
#[must_use]
pub fn recipe() -> Recipe {
    let all = |of: fn(&RoleTable) -> &'static [&'static [&'static str]]| {
        tables().flat_map(of).copied().flatten().copied()
    };
    Recipe::of_roles(all(|table| table.packages), all(|table| table.brings))
}

#[cfg(test)]
mod tests {
    /// Another recipe is another image, which every host builds anew.
    #[test]
    fn the_recipe_is_as_recorded() {
        insta::assert_snapshot!("machine-image", super::recipe().arguments().join("\n"));
    }
}
