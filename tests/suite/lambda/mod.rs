//! The services as Lambda functions, by an emulator of the platform. All tests need an S3 server: `tests/s3.sh`.

mod events;
mod instances;
mod requests;

use sgsend::domain::audit::ServiceName;

use crate::support::lambda::{LambdaFunction, LambdaPair};
use crate::support::{Api, FinishedCommand, Home, any_storage};

/// The home of a sender, and both functions over a new storage.
struct World {
    home: Home,
    storage: String,
    functions: LambdaPair,
}

impl World {
    fn new(instances: usize, variables: &[(&str, &str)]) -> Self {
        Self::over(any_storage(), instances, variables)
    }

    fn over(storage: String, instances: usize, variables: &[(&str, &str)]) -> Self {
        let home = Home::new();
        let functions = LambdaPair::over(home.path(), &storage, instances, variables);
        home.log_in(&functions);
        Self { home, storage, functions }
    }

    fn run(&self, arguments: &[&str]) -> FinishedCommand {
        self.home.run_at(&self.functions, arguments)
    }

    /// Returns a client of the public function with a new sender token.
    fn sender(&self, limits: &[&str]) -> Api {
        let token = self.run(&[&["token", "create", "test"], limits].concat()).text();
        api(ServiceName::Public, &self.functions.public).with_header("x-sgsend-token", &token)
    }

    /// Uploads a small file with the command; returns its link.
    fn upload(&self, arguments: &[&str]) -> String {
        let file = self.home.file("small.txt", b"hello world");
        self.run(&[&["upload", &file], arguments].concat()).text()
    }

    /// Checks the integrity of the store.
    fn check_store(&self) {
        let checked = self.home.run(&["store", "check", &self.storage]);
        assert_eq!(checked.exit, 0, "{}{}", String::from_utf8_lossy(&checked.stdout), checked.stderr);
    }
}

/// Returns a client of a function, without a token.
fn api(service: ServiceName, function: &LambdaFunction) -> Api {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    Api::new(service, function.url.trim_start_matches("http://").parse().unwrap(), client)
}
