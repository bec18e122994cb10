//! The methods that a context serves, from the contracts.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use mesh_foundation::error::Error;
use prost_reflect::DescriptorPool;

use super::layer::Method;

/// The descriptors of the contracts.
pub fn contracts() -> Result<&'static DescriptorPool, Error> {
    static POOL: LazyLock<Result<DescriptorPool, prost_reflect::DescriptorError>> =
        LazyLock::new(|| DescriptorPool::decode(contracts::FILE_DESCRIPTOR_SET));
    POOL.as_ref().map_err(|error| Error::Internal(format!("failed to read the contracts: {error}")))
}

/// The methods of a context's services, by their paths.
pub(super) struct Methods(HashMap<String, Arc<Method>>);

impl Methods {
    /// The methods of `services`.
    pub(super) fn of(pool: &DescriptorPool, services: &[&str]) -> Result<Self, Error> {
        let mut methods = HashMap::new();
        for name in services {
            let service = pool
                .get_service_by_name(name)
                .ok_or_else(|| Error::Internal(format!("the contracts have no service {name}")))?;
            for method in service.methods() {
                let name: Arc<str> = format!("{name}/{}", method.name()).into();
                // The card guard searches one message; no method of the contracts needs more.
                if method.is_client_streaming() {
                    return Err(Error::Internal(format!(
                        "{name} takes a stream, which the server's layers cannot look into"
                    )));
                }
                let path = format!("/{name}");
                let streams = method.is_server_streaming();
                methods.insert(path, Arc::new(Method { name, input: method.input(), streams }));
            }
        }
        Ok(Self(methods))
    }

    /// The method that is called at `path`.
    pub(super) fn at(&self, path: &str) -> Option<&Arc<Method>> {
        self.0.get(path)
    }
}
