//! TLS, towards clients and towards servers.

use crate::codec::{
    Bool, Codec, Context, FIELD_NAME, FILE, Field, Form, HOST_NAME, Nested, OneOrMany, Optional, Section,
    Shape, Words, field, nested,
};
use crate::model::{
    Alpn, CertificateFiles, ClientCertificateMode, ClientCertificates, ListenerTls, PoolTls, TlsVersion,
    Verify,
};
use crate::tree::{NodeId, ScalarType};

impl Section for ListenerTls {
    const WHAT: &'static str = "listener's tls section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(required "certificates", certificates, OneOrMany(CertificateCodec), "PEM files with certificates, chosen by the host that a client names; the first is for all others. A directory: every `*.pem` in it."),
        field!(
            "strict_sni",
            strict_sni,
            Bool,
            "Refuse clients that name no host, or one that no certificate is for."
        ),
        field!("min_version", min_version, VERSION, "The oldest version that is spoken."),
        field!(
            "alpn",
            alpn,
            Optional(OneOrMany(ALPN)),
            "What is spoken on top, most wanted first.",
            default "`[h2, http/1.1]` on HTTP listeners, nothing on others"
        ),
        field!(
            "client_certificates",
            client_certificates,
            Optional(nested::<ClientCertificates>()),
            "Whether clients show certificates, too."
        ),
    ];
}

const VERSION: Words<TlsVersion> = Words(&[("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)]);

const ALPN: Words<Alpn> = Words(&[(Alpn::Http2.as_str(), Alpn::Http2), (Alpn::Http1.as_str(), Alpn::Http1)]);

/// A certificate: its file, or a mapping.
pub(super) struct CertificateCodec;

const CERTIFICATE: Nested<CertificateFiles> = nested();

impl Section for CertificateFiles {
    const WHAT: &'static str = "certificate";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(required "certificate", certificate, FILE, "A PEM file with the certificate and what leads to its authority."),
        field!(
            "key",
            key,
            Optional(FILE),
            "A PEM file with the private key.",
            default "in the certificate's file, else beside it with the ending `.key`"
        ),
        field!(
            "ocsp",
            ocsp,
            Optional(FILE),
            "A file with an OCSP response (DER) to staple.",
            default "beside the certificate with the ending `.ocsp`, if there is one"
        ),
    ];
}

impl Codec for CertificateCodec {
    type Value = CertificateFiles;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<CertificateFiles> {
        match cx.scalar(node) {
            Some(scalar) if scalar.kind == ScalarType::Text => {
                Some(CertificateFiles { certificate: FILE.decode(node, cx)?, ..CertificateFiles::default() })
            }
            Some(_) | None if cx.map(node).is_some() => CERTIFICATE.decode(node, cx),
            Some(_) | None => cx.wrong_type(node, "a path, or a mapping with a `certificate`"),
        }
    }

    fn encode(&self, value: &CertificateFiles) -> Form {
        match value {
            CertificateFiles { certificate, key: None, ocsp: None } => FILE.encode(certificate),
            full => CERTIFICATE.encode(full),
        }
    }

    fn shape(&self) -> Shape {
        Shape::Either(vec![FILE.shape(), CERTIFICATE.shape()])
    }
}

impl Section for ClientCertificates {
    const WHAT: &'static str = "client_certificates section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(
            "mode",
            mode,
            MODE,
            "Whether a client is asked for a certificate, and whether it must show one."
        ),
        field!(required "ca", ca, FILE, "A PEM file with the authorities that are believed."),
        field!(
            "crl",
            crl,
            Optional(FILE),
            "A PEM file with what those authorities have revoked.",
            default "nothing is revoked"
        ),
        field!(
            "header",
            header,
            Optional(FIELD_NAME),
            "The field that tells servers the subject (RFC 4514); a client's own field of this name is dropped, on every listener."
        ),
    ];
}

const MODE: Words<ClientCertificateMode> = Words(&[
    ("none", ClientCertificateMode::None),
    ("optional", ClientCertificateMode::Optional),
    ("required", ClientCertificateMode::Required),
]);

impl Section for PoolTls {
    const WHAT: &'static str = "pool's tls section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!("verify", verify, VERIFY, "Whether the servers must prove who they are."),
        field!(
            "ca",
            ca,
            Optional(FILE),
            "A PEM file with the authorities that are believed.",
            default "those of the system"
        ),
        field!(
            "server_name",
            server_name,
            Optional(HOST_NAME),
            "The name that a server's certificate must be for.",
            default "the server's host name or address"
        ),
        field!(
            "certificate",
            certificate,
            Optional(FILE),
            "A PEM file with our own certificate, for servers that want one."
        ),
        field!(
            "key",
            key,
            Optional(FILE),
            "A PEM file with its private key.",
            default "in the certificate's file, else beside it with the ending `.key`"
        ),
    ];
}

const VERIFY: Words<Verify> = Words(&[("full", Verify::Full), ("none", Verify::None)]);
