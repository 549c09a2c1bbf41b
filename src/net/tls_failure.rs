//! Why TLS failed, in the same words for Nomad and for Redis, and what to do about it.

use rustls::{AlertDescription, CertificateError, Error, OtherError};

use crate::model::text::foreign;

/// The server, and the options for it.
pub(crate) struct TlsPeer {
    /// As errors name it.
    pub(crate) name: &'static str,
    /// What to do if the certificate is signed by an unknown authority.
    pub(crate) ca_hint: &'static str,
    /// What to do if the certificate is for another name.
    pub(crate) name_hint: &'static str,
    /// The options for the client certificate and its key.
    pub(crate) client_options: &'static str,
}

/// One failure, each part on one line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TlsTrouble {
    pub(crate) why: String,
    pub(crate) hint: String,
}

impl TlsTrouble {
    fn new(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { why: why.into(), hint: hint.into() }
    }
}

impl TlsPeer {
    /// `has_client_certificate`: without one, the server can only have refused that it is missing.
    pub(crate) fn trouble(&self, error: &Error, has_client_certificate: bool) -> TlsTrouble {
        match error {
            Error::InvalidCertificate(why) => self.untrusted(why),
            Error::AlertReceived(alert) if is_about_certificate(*alert) => {
                if has_client_certificate { self.refused(*alert) } else { self.required() }
            }
            Error::AlertReceived(AlertDescription::HandshakeFailure) => {
                self.handshake_refused(has_client_certificate)
            }
            Error::AlertReceived(AlertDescription::ProtocolVersion) => TlsTrouble::new(
                format!("{} supports neither TLS 1.2 nor TLS 1.3", self.name),
                "enable one of them there",
            ),
            Error::AlertReceived(alert) => {
                TlsTrouble::new(format!("{} refused: {alert:?}", self.name), self.check_log())
            }
            other => TlsTrouble::new(foreign(other), self.check_log()),
        }
    }

    /// This end does not trust the server.
    fn untrusted(&self, why: &CertificateError) -> TlsTrouble {
        let name = self.name;
        match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsTrouble::new(
                "the certificate has expired",
                format!("renew the certificate of {name}, or set the clock of this machine"),
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                TlsTrouble::new("the certificate is not valid yet", "set the clock of this machine")
            }
            CertificateError::UnknownIssuer => {
                TlsTrouble::new("the certificate is signed by an unknown authority", self.ca_hint)
            }
            CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
                TlsTrouble::new(
                    "the certificate has no subject alternative name (its common name is not used)",
                    format!(
                        "give {name} one with its host name or IP address as a subject alternative name"
                    ),
                )
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsTrouble::new("the certificate is for another name", self.name_hint)
            }
            CertificateError::BadSignature => TlsTrouble::new(
                "the certificate is signed with another key than the known one of its authority",
                format!("{}: the authority's current certificate", self.ca_hint),
            ),
            CertificateError::BadEncoding => self.replace("the certificate is malformed"),
            CertificateError::Revoked => self.replace("the certificate was revoked"),
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                TlsTrouble::new(
                    "the certificate is not for servers",
                    format!("give {name} one with the extended key usage serverAuth"),
                )
            }
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                TlsTrouble::new(
                    "the certificate is signed with an unsupported algorithm, such as P-521 or SHA-1",
                    format!(
                        "give {name} one that is signed with an RSA, ECDSA P-256 or P-384, or Ed25519 key"
                    ),
                )
            }
            CertificateError::Other(inner) => self.unusable(inner),
            other => self.invalid(&format!("{other:?}")),
        }
    }

    /// What webpki reports about a certificate.
    fn unusable(&self, inner: &OtherError) -> TlsTrouble {
        let Some(error) = inner.0.downcast_ref::<webpki::Error>() else {
            return self.invalid(&inner.0.to_string());
        };
        match error {
            webpki::Error::CaUsedAsEndEntity => {
                self.replace("the certificate is a CA certificate, not one of a server")
            }
            webpki::Error::EndEntityUsedAsCa => {
                self.replace("the certificate is signed by one that is not a CA certificate")
            }
            webpki::Error::UnsupportedCertVersion => TlsTrouble::new(
                "the certificate is of X.509 version 1, which is not supported",
                format!(
                    "give {} one of version 3, with its host name or IP address as a subject alternative name",
                    self.name
                ),
            ),
            webpki::Error::NameConstraintViolation => {
                self.replace("the authority of the certificate may not sign for its names")
            }
            webpki::Error::PathLenConstraintViolated => self
                .replace("the certificate has more authorities above it than one of them allows"),
            other => self.invalid(&format!("{other:?}")),
        }
    }

    fn invalid(&self, why: &str) -> TlsTrouble {
        self.replace(format!("the certificate is not valid ({})", foreign(why)))
    }

    fn replace(&self, why: impl Into<String>) -> TlsTrouble {
        TlsTrouble::new(why, format!("give {} one that a CA has signed for it", self.name))
    }

    fn required(&self) -> TlsTrouble {
        TlsTrouble::new(
            format!("{} requires a client certificate", self.name),
            format!("pass {}", self.client_options),
        )
    }

    /// The server does not trust this end.
    fn refused(&self, alert: AlertDescription) -> TlsTrouble {
        let Self { name, client_options, .. } = self;
        let (which, hint) = match alert {
            AlertDescription::CertificateExpired => (
                ", which has expired",
                format!("pass {client_options} of a new one, or set the clocks of both ends"),
            ),
            AlertDescription::CertificateRevoked => {
                (", which was revoked", format!("pass {client_options} of another one"))
            }
            AlertDescription::UnknownCA => (
                ", whose authority it does not know",
                format!("pass {client_options} of its own CA"),
            ),
            _ => {
                ("", format!("pass {client_options} of its own CA, made for clients and valid now"))
            }
        };
        TlsTrouble::new(format!("{name} refuses the client certificate{which}"), hint)
    }

    /// In TLS 1.2, this alert may also mean that a client certificate is missing.
    fn handshake_refused(&self, has_client_certificate: bool) -> TlsTrouble {
        let Self { name, client_options, .. } = self;
        let check_log = self.check_log();
        if has_client_certificate {
            TlsTrouble::new(
                format!("{name} refuses the handshake despite the client certificate"),
                format!("{check_log}: it may require another certificate or cipher"),
            )
        } else {
            TlsTrouble::new(
                format!("{name} refuses the handshake; it may require a client certificate"),
                format!(
                    "pass {client_options}; if it requires none, its own key may be of an unsupported type, such as P-521; else {check_log}"
                ),
            )
        }
    }

    fn check_log(&self) -> String {
        format!("check the log of {}", self.name)
    }
}

/// Alerts that only a client certificate, or a missing one, can cause.
fn is_about_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::CertificateRequired
    )
}
