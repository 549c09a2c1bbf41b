//! Why TLS failed, in the same words for Nomad and for Redis, and what cures it.

use rustls::{AlertDescription, CertificateError, Error, OtherError};

use crate::model::text::foreign;

/// The other end, and the options that belong to it.
pub(crate) struct TlsPeer {
    /// As errors name it.
    pub(crate) name: &'static str,
    pub(crate) whose: &'static str,
    /// What cures a certificate of an unknown authority.
    pub(crate) authority: &'static str,
    /// What cures a certificate for another name.
    pub(crate) other_name: &'static str,
    /// The options of the client certificate and its key.
    pub(crate) client: &'static str,
}

/// One failure, to be told on one line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TlsTrouble {
    pub(crate) why: String,
    pub(crate) cure: String,
}

impl TlsTrouble {
    fn new(why: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { why: why.into(), cure: cure.into() }
    }
}

impl TlsPeer {
    /// `shown`: there was a client certificate to show. A server that got none can't complain
    /// about a certificate, only about having got none.
    pub(crate) fn trouble(&self, error: &Error, shown: bool) -> TlsTrouble {
        match error {
            Error::InvalidCertificate(why) => self.untrusted(why),
            Error::AlertReceived(alert) if is_of_certificates(*alert) && !shown => self.wanted(),
            Error::AlertReceived(alert) if is_of_certificates(*alert) => self.refused(*alert),
            Error::AlertReceived(AlertDescription::HandshakeFailure) => self.broken_off(shown),
            Error::AlertReceived(AlertDescription::ProtocolVersion) => TlsTrouble::new(
                format!("{} speaks neither TLS 1.2 nor TLS 1.3", self.name),
                "let it speak one of them",
            ),
            Error::AlertReceived(alert) => {
                TlsTrouble::new(format!("{} refused: {alert:?}", self.name), self.look())
            }
            other => TlsTrouble::new(foreign(other), self.look()),
        }
    }

    /// This end does not trust the server.
    fn untrusted(&self, why: &CertificateError) -> TlsTrouble {
        match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsTrouble::new(
                "the certificate has expired",
                format!("renew {} certificate, or set the clock of this machine", self.whose),
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                TlsTrouble::new("the certificate is not valid yet", "set the clock of this machine")
            }
            CertificateError::UnknownIssuer => {
                TlsTrouble::new("the certificate is of an unknown authority", self.authority)
            }
            CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
                self.nameless()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsTrouble::new("the certificate is for another name", self.other_name)
            }
            CertificateError::BadSignature => TlsTrouble::new(
                "the certificate was signed with another key than that of the authority of this name",
                format!("{}: the authority's current certificate", self.authority),
            ),
            CertificateError::BadEncoding => {
                TlsTrouble::new("the certificate is malformed", self.another())
            }
            CertificateError::Revoked => {
                TlsTrouble::new("the certificate was revoked", self.another())
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                TlsTrouble::new(
                    "the certificate is not for servers",
                    format!("give {} one with the extended key usage serverAuth", self.name),
                )
            }
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                TlsTrouble::new(
                    "the certificate is signed with an algorithm that is not supported, such as P-521 or SHA-1",
                    format!(
                        "let an authority with an RSA, ECDSA P-256 or P-384, or Ed25519 key sign one for {}",
                        self.name
                    ),
                )
            }
            CertificateError::Other(inner) => self.unusable(inner),
            other => self.invalid(&format!("{other:?}")),
        }
    }

    /// What the library below finds wrong with a certificate as such.
    fn unusable(&self, inner: &OtherError) -> TlsTrouble {
        let Some(flaw) = inner.0.downcast_ref::<webpki::Error>() else {
            return self.invalid(&inner.0.to_string());
        };
        match flaw {
            webpki::Error::CaUsedAsEndEntity => TlsTrouble::new(
                "the certificate is that of an authority, which is not one for a server",
                format!("let that authority sign one for {}", self.name),
            ),
            webpki::Error::EndEntityUsedAsCa => TlsTrouble::new(
                "the certificate was signed by one that is not an authority's",
                format!("let an authority sign one for {}", self.name),
            ),
            webpki::Error::UnsupportedCertVersion => TlsTrouble::new(
                "the certificate is of X.509 version 1, which is not supported",
                format!(
                    "give {} one of version 3, with its host name or IP address as a subject alternative name",
                    self.name
                ),
            ),
            webpki::Error::NameConstraintViolation => TlsTrouble::new(
                "the authority of the certificate may not sign for its names",
                self.another(),
            ),
            webpki::Error::PathLenConstraintViolated => TlsTrouble::new(
                "the certificate has more authorities above it than one of them allows",
                self.another(),
            ),
            other => self.invalid(&format!("{other:?}")),
        }
    }

    fn invalid(&self, why: &str) -> TlsTrouble {
        let why = foreign(why);
        TlsTrouble::new(format!("the certificate is not valid ({why})"), self.another())
    }

    fn another(&self) -> String {
        format!("give {} one that an authority has signed for it", self.name)
    }

    /// No name of a certificate counts but its alternative ones.
    fn nameless(&self) -> TlsTrouble {
        TlsTrouble::new(
            "the certificate has no subject alternative name (a common name alone does not count)",
            format!(
                "give {} one with its host name or IP address as a subject alternative name",
                self.name
            ),
        )
    }

    /// Servers of Go older than 1.21 call a missing one a bad one.
    fn wanted(&self) -> TlsTrouble {
        TlsTrouble::new(
            format!("{} wants a client certificate", self.name),
            format!("pass {}", self.client),
        )
    }

    /// The server does not trust this end.
    fn refused(&self, alert: AlertDescription) -> TlsTrouble {
        let Self { name, client, .. } = self;
        let (which, cure) = match alert {
            AlertDescription::CertificateExpired => (
                ", which has expired",
                format!("pass {client} of a new one, or set the clocks of both ends"),
            ),
            AlertDescription::CertificateRevoked => {
                (", which was revoked", format!("pass {client} of another one"))
            }
            AlertDescription::UnknownCA => {
                (", whose authority it does not know", format!("pass {client} of its own CA"))
            }
            _ => ("", format!("pass {client} of its own CA, made for clients and valid now")),
        };
        TlsTrouble::new(format!("{name} refuses the client certificate{which}"), cure)
    }

    /// In TLS 1.2 the same alert also stands for a certificate that is missing.
    fn broken_off(&self, shown: bool) -> TlsTrouble {
        let Self { name, client, .. } = self;
        let look = self.look();
        match shown {
            true => TlsTrouble::new(
                format!("{name} refuses the handshake, in spite of a client certificate"),
                format!("{look}: it may want another one, or another cipher"),
            ),
            false => TlsTrouble::new(
                format!("{name} refuses the handshake, as one that wants a client certificate"),
                format!(
                    "pass {client}; if it wants none, its own key may be one that is not supported, such as P-521; else {look}"
                ),
            ),
        }
    }

    fn look(&self) -> String {
        format!("look into {} log", self.whose)
    }
}

/// Alerts that only a client's certificate, or none, can cause.
fn is_of_certificates(alert: AlertDescription) -> bool {
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
