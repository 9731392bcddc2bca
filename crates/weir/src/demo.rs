//! `weir demo`: the product on its own, with three origin servers built in.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use anyhow::Context;
use tokio::net::TcpListener;
use weir_admin::Setup;
use weir_bench::origin::Origin;

use crate::logging::say;
use crate::run::{self, Source};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where the listener is
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
    /// Where the admin API is; an address that others reach is for `weir run`, with a token
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    admin: SocketAddr,
}

pub(crate) fn main(options: &Options) -> anyhow::Result<ExitCode> {
    run::runtime()?.block_on(async {
        let mut servers = String::new();
        for name in ["one", "two", "three"] {
            let socket =
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port for an origin")?;
            servers += &format!("      - {{ name: {name}, address: \"{}\" }}\n", socket.local_addr()?);
            tokio::spawn(Origin::new(name).serve(socket));
        }
        let Options { bind, admin } = options;
        let text = format!(
            "version: 1\n\nadmin:\n  bind: \"{admin}\"\n\nlog:\n  access: \"off\"\n\nlisteners:\n  web:\n    \
             bind: \"{bind}\"\n    routes:\n      - pool: web\n\npools:\n  web:\n    servers:\n{servers}    \
             check:\n      http: {{ path: /healthz }}\n"
        );
        run::serve(Source::BuiltIn(text), Setup::default(), || {
            say(&format!(
                "\nWeir is balancing three origin servers.\n\n  \
                 curl http://{bind}/                      the three take turns\n  \
                 curl http://{admin}/api/v1/stats         what it has counted\n  \
                 curl -X PATCH -d '{{\"state\":\"drain\"}}' http://{admin}/api/v1/pools/web/servers/one\n  \
                 curl http://{admin}/api/v1/config        the configuration, to start your own from\n\n\
                 Ctrl-C stops it.\n"
            ));
        })
        .await
    })
}
