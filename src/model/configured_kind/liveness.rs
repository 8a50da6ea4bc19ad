//! Whether an object still needs its Secrets, by an expression of the Common Expression Language.

use std::collections::HashMap;
use std::sync::Arc;

use cel::common::ast::{EntryExpr, Expr};
use cel::{Context, IdedExpr, Program, Value as CelValue};
use serde_json::Value;

/// The longest expression, in bytes.
const LONGEST: usize = 1_024;
/// How many brackets it has at most: the parser goes down by recursion, and takes much stack for each.
const BRACKETS: usize = 40;
/// How deep operations stand within one another: whoever evaluates them goes down by recursion.
const DEPTH: usize = 40;
/// How deep macros that go through a list or map (`all`, `exists`, `map`, `filter`) stand within one another.
const NESTED: usize = 2;
/// The longest list or map of an object that is judged; an object with a longer one counts.
const MOST_ITEMS: usize = 1_000;
/// How many values an object has at most that is judged; one with more counts.
const MOST_VALUES: usize = 50_000;
/// The functions that there are.
const FUNCTIONS: [&str; 12] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "int",
    "uint",
    "double",
    "string",
    "bytes",
    "min",
    "max",
];
/// The only variable.
const OBJECT: &str = "object";

/// An expression.
pub(super) struct Liveness(Program);

impl Liveness {
    /// Understands an expression, or says what is wrong with it.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("an expression has at most {LONGEST} bytes"));
        }
        let about = |what: &str| format!("the expression {text:?} {what}");
        // Also those in quotes, which do no harm: that would be a second parser.
        if text.bytes().filter(|byte| matches!(byte, b'(' | b'[' | b'{')).count() > BRACKETS {
            return Err(about(&format!("has more than {BRACKETS} brackets")));
        }
        let program = Program::compile(text).map_err(|errors| {
            let reasons = errors.errors.iter().map(|error| error.msg.clone()).collect::<Vec<_>>().join("; ");
            about(&format!("is no CEL ({reasons})"))
        })?;
        let mut survey = Survey::default();
        survey.look_at(program.expression(), Depth::default());
        if let Some(name) = survey.unknown {
            return Err(about(&format!(
                "asks for {name:?}; there are `{OBJECT}` and CEL's standard functions"
            )));
        }
        if !survey.asks_for_object {
            return Err(about(&format!("says nothing about `{OBJECT}`")));
        }
        if survey.deepest.operations > DEPTH {
            return Err(about(&format!("is too deep: at most {DEPTH} operations within one another")));
        }
        if survey.deepest.macros > NESTED {
            return Err(about(&format!("goes through lists within lists too deep: at most {NESTED}")));
        }
        Ok(Self(program))
    }

    /// Whether an object needs no Secret any more. Not if that cannot be told.
    pub(super) fn denies(&self, object: &Value) -> bool {
        let mut left = MOST_VALUES;
        let Some(object) = value(object, &mut left) else { return false };
        let mut context = Context::default();
        context.add_variable_from_value(OBJECT, object);
        matches!(self.0.execute(&context), Ok(CelValue::Bool(false)))
    }
}

/// What a part of an expression stands within.
#[derive(Default, Clone, Copy)]
struct Depth {
    operations: usize,
    /// Macros that go through a list or map.
    macros: usize,
}

/// What an expression is made of.
#[derive(Default)]
struct Survey<'a> {
    /// The variables of the macros around.
    bound: Vec<&'a str>,
    deepest: Depth,
    asks_for_object: bool,
    /// A variable or function that there is not.
    unknown: Option<&'a str>,
}

impl<'a> Survey<'a> {
    fn look_at(&mut self, expression: &'a IdedExpr, depth: Depth) {
        self.deepest.operations = self.deepest.operations.max(depth.operations);
        let depth = Depth { operations: depth.operations + 1, ..depth };
        match &expression.expr {
            Expr::Call(call) => {
                let name = call.func_name.as_str();
                // Operators are functions with names such as `_==_`.
                let is_operator = !name.bytes().all(|byte| byte.is_ascii_alphanumeric());
                if !is_operator && !FUNCTIONS.contains(&name) {
                    self.unknown = Some(name);
                }
                call.target.as_deref().into_iter().chain(&call.args).for_each(|one| self.look_at(one, depth));
            }
            Expr::Comprehension(each) => {
                let within = Depth { macros: depth.macros + 1, ..depth };
                self.deepest.macros = self.deepest.macros.max(within.macros);
                self.look_at(&each.iter_range, depth);
                let outer = self.bound.len();
                let variables = [Some(&each.iter_var), each.iter_var2.as_ref(), Some(&each.accu_var)];
                self.bound.extend(variables.into_iter().flatten().map(String::as_str));
                for one in [&each.accu_init, &each.loop_cond, &each.loop_step, &each.result] {
                    self.look_at(one, within);
                }
                self.bound.truncate(outer);
            }
            Expr::Ident(name) if self.bound.contains(&name.as_str()) => {}
            Expr::Ident(name) if name == OBJECT => self.asks_for_object = true,
            Expr::Ident(name) => self.unknown = Some(name),
            Expr::List(list) => list.elements.iter().for_each(|one| self.look_at(one, depth)),
            Expr::Select(select) => self.look_at(&select.operand, depth),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.look_at_entry(&entry.expr, depth)),
            Expr::Struct(of) => self.unknown = Some(&of.type_name),
            Expr::Unspecified | Expr::Literal(_) => {}
        }
    }

    fn look_at_entry(&mut self, entry: &'a EntryExpr, depth: Depth) {
        match entry {
            EntryExpr::StructField(field) => self.look_at(&field.value, depth),
            EntryExpr::MapEntry(entry) => {
                self.look_at(&entry.key, depth);
                self.look_at(&entry.value, depth);
            }
        }
    }
}

/// A value of CEL: whole numbers are of its type `int`, as in Kubernetes. `None` if there is too much of it.
fn value(json: &Value, left: &mut usize) -> Option<CelValue> {
    *left = left.checked_sub(1)?;
    Some(match json {
        Value::Null => CelValue::Null,
        Value::Bool(boolean) => CelValue::Bool(*boolean),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => CelValue::Int(number),
            (None, Some(number)) => CelValue::UInt(number),
            (None, None) => CelValue::Float(number.as_f64()?),
        },
        Value::String(text) => CelValue::String(Arc::new(text.clone())),
        Value::Array(items) if items.len() <= MOST_ITEMS => {
            let items: Option<Vec<_>> = items.iter().map(|item| value(item, left)).collect();
            CelValue::List(Arc::new(items?))
        }
        Value::Object(fields) if fields.len() <= MOST_ITEMS => {
            let fields: Option<HashMap<String, CelValue>> =
                fields.iter().map(|(name, field)| Some((name.clone(), value(field, left)?))).collect();
            fields?.into()
        }
        Value::Array(_) | Value::Object(_) => return None,
    })
}
