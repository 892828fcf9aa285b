//! What a server says of itself: lines for people, or events where the log is for programs.

use std::io::Write;
use std::net::SocketAddr;

use carafe_model::resource::Resource;
use carafe_model::schema::Schema;

use crate::args::Serve;
use crate::config::DatabaseConfig;
use crate::telemetry::LogFormat;

/// Says things where they are read. A server goes on when nobody reads them any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announcer {
    format: LogFormat,
}

impl Announcer {
    pub(crate) fn new(format: LogFormat) -> Self {
        Self { format }
    }

    pub(crate) fn say(self, line: &str) {
        match self.format {
            LogFormat::Text => drop(writeln!(std::io::stdout(), "{line}")),
            LogFormat::Json => tracing::info!("{line}"),
        }
    }

    /// Says that a change of the application's files is not taken up.
    pub(crate) fn refuse(self, report: &str) {
        match self.format {
            LogFormat::Text => drop(writeln!(
                std::io::stderr(),
                "{report}\n\nThe change is not taken up; what was served before goes on."
            )),
            LogFormat::Json => tracing::error!(report, "The change is not taken up"),
        }
    }

    /// Says where the application is, once it is served.
    pub(crate) fn ready(
        self,
        schema: &Schema,
        args: &Serve,
        addresses: &[SocketAddr],
        metrics: Option<SocketAddr>,
    ) {
        let metrics = metrics.map(|address| format!("http://{address}/metrics"));
        let scheme = if args.tls_cert.is_some() {
            "https"
        } else {
            "http"
        };
        let bound = addresses
            .first()
            .map(|address| format!("{scheme}://{address}"))
            .unwrap_or_default();
        let base = args.public_url.clone().unwrap_or(bound.clone());
        let database = DatabaseConfig::from(&args.database).place();
        if self.format == LogFormat::Json {
            let name = schema.name.as_str();
            tracing::info!(
                name,
                address = bound,
                url = base,
                database,
                metrics,
                "Ready"
            );
            return;
        }
        self.say(&format!("{} is ready.\n", schema.name));
        if schema.pages {
            self.say(&format!("  Pages     {base}/"));
        }
        for prefix in &schema.prefixes {
            for resource in &schema.resources {
                self.say(&format!("  API       {base}{prefix}{}", api_path(resource)));
            }
        }
        self.say(&format!("  API docs  {base}/docs"));
        self.say(&format!("  Database  {database}"));
        if let Some(metrics) = metrics {
            self.say(&format!("  Metrics   {metrics}"));
        }
        self.say("\nPress Ctrl-C to stop.");
    }
}

/// Where a resource is under the API's prefix; a record's key stands in braces.
fn api_path(resource: &Resource) -> String {
    match &resource.parent {
        Some(above) => format!("/{}/{{key}}/{}", above.resource, resource.name),
        None => format!("/{}", resource.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_under_another_is_announced_where_it_is() {
        let declaration = r#"
[resources.users.fields]
name = { type = "string" }
[resources.emails]
parent = "users"
[resources.emails.fields]
address = { type = "email" }
"#;
        let schema =
            carafe_model::declaration::parse(declaration, std::path::Path::new("shop")).unwrap();
        let paths: Vec<String> = schema.resources.iter().map(api_path).collect();
        assert_eq!(paths, ["/users", "/users/{key}/emails"]);
    }
}
