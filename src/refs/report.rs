//! What is told.

use std::fmt;

use serde::Serialize;

use crate::knowledge::references::Use;
use crate::model::ObjectKey;
use crate::model::reference::{Reference, Referrer};

/// What uses a Secret.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    secret: String,
    pub(super) is_used: bool,
    referrers: Vec<Line>,
}

/// One object that points to it.
#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    object: Named,
    fields: Vec<Field>,
    reserves: bool,
    users: Vec<User>,
}

/// What names a binding.
#[derive(Debug, Serialize)]
struct User {
    #[serde(flatten)]
    object: Named,
    field: &'static str,
}

#[derive(Debug, Serialize)]
struct Field {
    path: String,
    purposes: Vec<String>,
    #[serde(skip)]
    told: String,
}

#[derive(Debug, Serialize)]
struct Named {
    kind: String,
    namespace: String,
    name: String,
}

impl Field {
    fn of(place: &Reference) -> Self {
        Self { path: place.path.clone(), purposes: place.purposes.clone(), told: place.to_string() }
    }
}

impl Named {
    fn of(referrer: &Referrer) -> Self {
        let ObjectKey { namespace, name } = &referrer.key;
        Self { kind: referrer.kind.to_string(), namespace: namespace.to_string(), name: name.to_string() }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

impl Report {
    pub(super) fn new(secret: &ObjectKey, uses: &[Use]) -> Self {
        let referrers = uses.iter().map(|one| Line {
            object: Named::of(&one.referrer),
            fields: one.places.iter().map(Field::of).collect(),
            reserves: one.referrer.kind.reserves(),
            users: one.users.iter().map(|(user, field)| User { object: Named::of(user), field }).collect(),
        });
        Self { secret: secret.to_string(), is_used: !uses.is_empty(), referrers: referrers.collect() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_used {
            return writeln!(formatter, "Secret {}: nothing that regcred knows of points to it", self.secret);
        }
        writeln!(formatter, "Secret {} is in use:", self.secret)?;
        for line in &self.referrers {
            let fields: Vec<&str> = line.fields.iter().map(|field| &*field.told).collect();
            write!(formatter, "  {} ({})", line.object, fields.join(", "))?;
            let users = line.users.iter().map(|user| format!("{} ({})", user.object, user.field));
            let users: Vec<String> = users.collect();
            if !users.is_empty() {
                write!(formatter, ", named by {}", users.join(", "))?;
            }
            if !line.reserves {
                formatter.write_str(", without a reservation")?;
            }
            writeln!(formatter)?;
        }
        Ok(())
    }
}
