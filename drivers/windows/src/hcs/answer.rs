//! The result document that the compute service gives beside an HRESULT.

use serde::Deserialize;

/// What an answer says, as one line for an error: the message and its events; empty when it says
/// nothing. What is no JSON is taken as it is.
pub(crate) fn answer_text(answer: &str) -> String {
    let Ok(document) = serde_json::from_str::<Answer>(answer) else {
        return one_line(answer);
    };
    let events = document.error_events.unwrap_or_default();
    let mut parts = vec![one_line(&document.error_message.unwrap_or_default())];
    parts.extend(events.iter().map(Event::text));
    parts.retain(|part| !part.is_empty());
    parts.join("; ")
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    error_message: Option<String>,
    error_events: Option<Vec<Event>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    message: Option<String>,
    provider: Option<String>,
    event_id: Option<u32>,
    source: Option<String>,
}

impl Event {
    fn text(&self) -> String {
        let mut text = one_line(self.message.as_deref().unwrap_or_default());
        let origin = [
            self.source.clone(),
            self.provider.clone(),
            self.event_id
                .filter(|id| *id != 0)
                .map(|id| format!("event {id}")),
        ];
        let origin: Vec<String> = origin
            .into_iter()
            .flatten()
            .filter(|s| !s.is_empty())
            .collect();
        if !origin.is_empty() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&format!("[{}]", origin.join(", ")));
        }
        text
    }
}

/// Errors are lines.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_and_every_event_are_told() {
        let answer = r#"{"Error":-1070137075,"ErrorMessage":"Construct 'x' failed.","ErrorEvents":[
            {"Message":"no\r\n layer","StackTrace":"","Provider":"{p}","EventId":7,"Flags":0,"Source":"vmwp"},
            {"Message":"second"},{}]}"#;
        assert_eq!(
            answer_text(answer),
            "Construct 'x' failed.; no layer [vmwp, {p}, event 7]; second"
        );
    }

    #[test]
    fn nothing_and_what_is_no_json_are_taken_as_they_are() {
        assert_eq!(answer_text(""), "");
        assert_eq!(answer_text("{}"), "");
        assert_eq!(answer_text(r#"{"ErrorEvents":null}"#), "");
        assert_eq!(answer_text("it\nbroke"), "it broke");
    }
}
