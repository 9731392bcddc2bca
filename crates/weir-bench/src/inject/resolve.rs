//! Host names, once before the load: a static binary can't ask glibc, so the resolver is hickory's.

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::{ResolverBuilder, TokioResolver};

use super::InjectError;
use super::options::Options;

/// The address of the targets, of the family that the sources have.
///
/// # Errors
/// When the host is no address and there is none of its name.
pub(super) fn address(options: &Options) -> Result<SocketAddr, InjectError> {
    let target = &options.targets[0];
    if let Ok(address) = target.host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, target.port));
    }
    let failed = |why: String| InjectError::Name { host: target.host.clone(), why };
    let all = lookup(&target.host).map_err(failed)?;
    let fits = |address: &&IpAddr| {
        options.sources.first().is_none_or(|source| source.is_ipv6() == address.is_ipv6())
    };
    // Where both are there, the older one, which every network has.
    let best = all.iter().filter(fits).min_by_key(|address| address.is_ipv6());
    let best = best.ok_or_else(|| failed("it has no address of the family that --source has".into()))?;
    Ok(SocketAddr::new(*best, target.port))
}

fn lookup(host: &str) -> Result<Vec<IpAddr>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let resolver = TokioResolver::builder_tokio().and_then(ResolverBuilder::build);
        let resolver = resolver.map_err(|error| error.to_string())?;
        let found = resolver.lookup_ip(host).await.map_err(|error| error.to_string())?;
        Ok(found.iter().collect())
    })
}

#[cfg(test)]
mod tests {
    use super::super::options::Mode;
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_address_is_one_and_localhost_has_one() {
        for (url, wanted) in [
            ("http://127.0.0.9:81/", "127.0.0.9:81"),
            ("https://[::1]/", "[::1]:443"),
            ("http://localhost:7/", "127.0.0.1:7"),
        ] {
            let options =
                Options::new(url.parse().unwrap(), Mode::Closed { users: 1 }, Duration::from_secs(1));
            assert_eq!(address(&options).unwrap(), wanted.parse().unwrap(), "{url}");
        }
    }
}
