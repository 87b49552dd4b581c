//! One binary: linking is what takes time.

#[cfg(test)]
mod broken;
#[cfg(test)]
mod common;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod load;
#[cfg(test)]
mod price;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod topology;
#[cfg(test)]
mod window;
