//! A RabbitMQ member that forgets others.

use crate::failure::Result;
use crate::process;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(60);

/// A member with an empty disk is refused under a name that the others still know.
pub(super) async fn forget(members: &[String]) -> Result<()> {
    for member in members {
        let argv = ["rabbitmqctl", "--quiet", "forget_cluster_node", member];
        match process::run(&argv, "", DEADLINE).await {
            Err(failure) if failure.to_string().contains("not_a_cluster_node") => {}
            done => drop(done?),
        }
    }
    Ok(())
}
