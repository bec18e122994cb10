//! All the contexts that one context may call.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use mesh_foundation::error::Error;

use super::{
    Limits, TokenSource,
    circuit::Circuit,
    in_process::InProcess,
    leaf::Leaf,
    pool::{Dialer, Pool},
    stack::stack,
    upstream::Upstream,
};
use crate::{config::TlsConfig, net::Address, tls::Tls};

/// The contexts that one context may call. Cheap to clone; all clones hand out the same [`Upstream`]s.
#[derive(Clone)]
pub struct Upstreams(Arc<Inner>);

struct Inner {
    settings: Builder,
    /// Made when first asked for. Bounded by the names in our own code: no request chooses one.
    made: Mutex<HashMap<String, Upstream>>,
}

/// Says where a context finds the others. An address goes before the same process.
#[derive(Clone)]
pub struct Builder {
    own_name: Arc<str>,
    tokens: Arc<dyn TokenSource>,
    limits: Limits,
    limits_of: HashMap<String, Limits>,
    in_process: Option<InProcess>,
    addresses: HashMap<String, Vec<Address>>,
    tls: Option<Tls>,
}

impl Builder {
    /// Finds contexts without an address in this process.
    #[must_use]
    pub fn in_process(mut self, registry: InProcess) -> Self {
        self.in_process = Some(registry);
        self
    }

    /// Finds `callee` at `uri`, as in `http://payment:50051`; once for each of its replicas, or once for all if the name or a proxy
    /// leads to all of them.
    pub fn address(mut self, callee: impl Into<String>, uri: &str) -> Result<Self, Error> {
        let callee = callee.into();
        let address = Address::parse(uri)
            .map_err(|error| Error::Internal(format!("the address of {callee} cannot be used: {error}")))?;
        let addresses = self.addresses.entry(callee).or_default();
        if !addresses.contains(&address) {
            addresses.push(address);
        }
        Ok(self)
    }

    /// The TLS settings for `https` addresses. Without them the public authorities are trusted, and no certificate is shown.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sets limits for calls to `callee`.
    #[must_use]
    pub fn limits(mut self, callee: impl Into<String>, limits: Limits) -> Self {
        self.limits_of.insert(callee.into(), limits);
        self
    }

    /// The contexts.
    pub fn build(self) -> Upstreams {
        Upstreams(Arc::new(Inner { settings: self, made: Mutex::default() }))
    }

    fn connect(&self, callee: &str) -> Result<Upstream, Error> {
        let limits = self.limits_of.get(callee).unwrap_or(&self.limits);
        let callee: Arc<str> = callee.into();
        let circuit = Circuit::new(callee.clone(), limits);
        let leaf = match (self.addresses.get(&*callee), &self.in_process) {
            (Some(addresses), _) => {
                let dialer = Dialer { connect_timeout: limits.connect_timeout, tls: self.some_tls()? };
                let pool = Pool::new(callee.clone(), addresses, limits.connections, dialer, circuit.clone());
                Leaf::network(callee.clone(), limits.timeout, pool)
            }
            (None, Some(registry)) => Leaf::in_process(callee.clone(), limits.timeout, registry.clone()),
            (None, None) => {
                return Err(Error::Internal(format!("{} has no address for {callee}; configure one", self.own_name)));
            }
        };
        let stack = stack(&callee, &circuit, limits, self.tokens.clone(), leaf);
        Ok(Upstream::new(callee, circuit, stack))
    }

    fn some_tls(&self) -> Result<Tls, Error> {
        match &self.tls {
            Some(tls) => Ok(tls.clone()),
            None => Tls::load(&TlsConfig::default())
                .map_err(|error| Error::Internal(format!("failed to set up TLS: {error}"))),
        }
    }
}

impl Upstreams {
    /// A builder for the upstreams of the context `own_name`; `limits` apply to the contexts that get none of their own.
    pub fn builder(own_name: impl Into<Arc<str>>, tokens: Arc<dyn TokenSource>, limits: Limits) -> Builder {
        Builder {
            own_name: own_name.into(),
            tokens,
            limits,
            limits_of: HashMap::new(),
            in_process: None,
            addresses: HashMap::new(),
            tls: None,
        }
    }

    /// Every other context runs in this process.
    pub fn in_process(
        own_name: impl Into<Arc<str>>,
        registry: InProcess,
        tokens: Arc<dyn TokenSource>,
        limits: Limits,
    ) -> Self {
        Self::builder(own_name, tokens, limits).in_process(registry).build()
    }

    /// The context named `callee`, the same one every time. It need not run yet.
    pub fn get(&self, callee: &str) -> Result<Upstream, Error> {
        let mut made = self.0.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(upstream) = made.get(callee) {
            return Ok(upstream.clone());
        }
        let upstream = self.0.settings.connect(callee)?;
        made.insert(callee.to_owned(), upstream.clone());
        Ok(upstream)
    }
}

impl fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstreams").field("own_name", &self.0.settings.own_name).finish_non_exhaustive()
    }
}
