//! The `OpenAPI` text of the routes: 3.1, with the schemas that `poolctl schema` shows.
#![expect(clippy::default_trait_access, reason = "the maps are of a type of aide's own")]

use crate::Endpoint;
use crate::endpoint::STREAM;
use aide::openapi::{
    Components, HeaderStyle, Info, MediaType, OpenApi, Operation, Parameter, ParameterData,
    ParameterSchemaOrContent, PathItem, PathStyle, Paths, QueryStyle, ReferenceOr, RequestBody, Response,
    Responses, SchemaObject, SecurityScheme, StatusCode,
};
use app::api::{Method, Role};
use schemars::Schema;
use serde_json::{Map, Value, json};

/// The text for these routes; `definitions` are what their schemas refer to as `#/components/schemas/…`.
pub fn document(endpoints: &[Endpoint], definitions: Map<String, Value>, version: &str) -> String {
    let mut paths = Paths::default();
    for endpoint in endpoints {
        let entry =
            paths.paths.entry(endpoint.path()).or_insert_with(|| ReferenceOr::Item(PathItem::default()));
        if let ReferenceOr::Item(item) = entry {
            let slot = match endpoint.route.method {
                Method::Get => &mut item.get,
                Method::Post => &mut item.post,
            };
            *slot = Some(operation(endpoint));
        }
    }
    let stream = PathItem { get: Some(stream()), ..PathItem::default() };
    paths.paths.insert(STREAM.to_owned(), ReferenceOr::Item(stream));
    let schemas = definitions.into_iter().map(|(name, schema)| (name, object(schema))).collect();
    let bearer = SecurityScheme::Http {
        scheme: "bearer".into(),
        bearer_format: None,
        description: Some("A token, which the operator makes".into()),
        extensions: Default::default(),
    };
    let document = OpenApi {
        openapi: "3.1.0".into(),
        info: Info {
            title: "poolctl".into(),
            description: Some("The commands of poolctl by HTTP. GET reads, POST acts.".into()),
            version: version.into(),
            ..Info::default()
        },
        paths: Some(paths),
        components: Some(Components {
            schemas,
            security_schemes: [("bearer".to_owned(), ReferenceOr::Item(bearer))].into_iter().collect(),
            ..Components::default()
        }),
        security: vec![[("bearer".to_owned(), Vec::new())].into_iter().collect()],
        ..OpenApi::default()
    };
    serde_json::to_string(&document).unwrap_or_default()
}

/// That of the events, which is no command's.
fn stream() -> Operation {
    let id = json!({ "type": "string", "pattern": "^[0-9]{1,18}$" });
    let after = data("Last-Event-ID", false, "Go on behind this event; without it, from now on", id);
    let answer = Response {
        description:
            "Server-Sent Events: the id and kind of each event of the audit log, and the event as JSON".into(),
        content: [("text/event-stream".to_owned(), MediaType::default())].into_iter().collect(),
        ..Response::default()
    };
    Operation {
        tags: vec!["events".into()],
        summary: Some("The audit log as it grows".into()),
        description: Some("Roles: operator, reader.".into()),
        operation_id: Some("events_stream".into()),
        parameters: vec![ReferenceOr::Item(Parameter::Header {
            parameter_data: after,
            style: HeaderStyle::Simple,
        })],
        responses: Some(answers(200, answer)),
        ..Operation::default()
    }
}

/// An answer with this status, or a refusal.
fn answers(status: u16, answer: Response) -> Responses {
    let refused = Response {
        description: "Refused before the command was run, or by it".into(),
        content: content(object(json!({ "type": "object", "required": ["ok", "error"] }))),
        ..Response::default()
    };
    Responses {
        responses: [(StatusCode::Code(status), ReferenceOr::Item(answer))].into_iter().collect(),
        default: Some(ReferenceOr::Item(refused)),
        ..Responses::default()
    }
}

fn operation(endpoint: &Endpoint) -> Operation {
    let (in_path, rest): (Vec<_>, Vec<_>) =
        endpoint.params.iter().partition(|param| endpoint.is_in_path(param));
    let mut parameters: Vec<ReferenceOr<Parameter>> = Vec::new();
    for param in in_path {
        let parameter_data = data(&param.name, true, &param.help, param.schema());
        parameters.push(ReferenceOr::Item(Parameter::Path { parameter_data, style: PathStyle::Simple }));
    }
    let mut request_body = None;
    match endpoint.route.method {
        Method::Get => parameters.extend(rest.into_iter().map(|param| {
            ReferenceOr::Item(Parameter::Query {
                parameter_data: ParameterData {
                    // A list is one text, with commas.
                    explode: Some(false),
                    ..data(&param.name, endpoint.must_have(param), &param.help, param.schema())
                },
                allow_reserved: false,
                style: QueryStyle::Form,
                allow_empty_value: None,
            })
        })),
        Method::Post => {
            let key = json!({ "type": "string", "pattern": "^[!-~]{1,200}$" });
            let help = "The same key and request have the same answer, and are done once";
            let parameter_data = data("Idempotency-Key", false, help, key);
            let style = HeaderStyle::Simple;
            parameters.push(ReferenceOr::Item(Parameter::Header { parameter_data, style }));
            let required: Vec<&str> = rest
                .iter()
                .filter(|param| endpoint.must_have(param))
                .map(|param| param.name.as_str())
                .collect();
            let properties: Map<String, Value> =
                rest.iter().map(|param| (param.name.clone(), param.schema())).collect();
            let schema = json!({
                "type": "object", "properties": properties, "required": required, "additionalProperties": false,
            });
            request_body = Some(ReferenceOr::Item(RequestBody {
                content: content(object(schema)),
                required: !required.is_empty(),
                ..RequestBody::default()
            }));
        }
    }
    let all = [Role::Operator].into_iter().chain(endpoint.route.access.iter().map(|who| who.role));
    let roles: Vec<&str> = all.map(Role::as_str).collect();
    let answer = Response {
        description: "How the command ended".into(),
        content: content(SchemaObject {
            json_schema: endpoint.output.clone(),
            external_docs: None,
            example: None,
        }),
        ..Response::default()
    };
    let made = if endpoint.route.makes { 201 } else { 200 };
    Operation {
        tags: endpoint.words.split(' ').next().map(str::to_owned).into_iter().collect(),
        summary: Some(endpoint.about.clone()),
        description: Some(format!("As `poolctl {}`. Roles: {}.", endpoint.words, roles.join(", "))),
        operation_id: Some(endpoint.words.replace([' ', '-'], "_")),
        parameters,
        request_body,
        responses: Some(answers(made, answer)),
        ..Operation::default()
    }
}

fn data(name: &str, required: bool, help: &str, schema: Value) -> ParameterData {
    ParameterData {
        name: name.to_owned(),
        description: Some(help.to_owned()),
        required,
        deprecated: None,
        format: ParameterSchemaOrContent::Schema(object(schema)),
        example: None,
        examples: Default::default(),
        explode: None,
        extensions: Default::default(),
    }
}

fn object(schema: Value) -> SchemaObject {
    let json_schema = Schema::try_from(schema).unwrap_or_default();
    SchemaObject { json_schema, external_docs: None, example: None }
}

fn content(schema: SchemaObject) -> aide::openapi::Content {
    let media = MediaType { schema: Some(schema), ..MediaType::default() };
    [("application/json".to_owned(), media)].into_iter().collect()
}
