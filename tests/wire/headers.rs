//! Which typed header belongs to which code, and whether it holds all that Java sent.

use mqcontainer::protocol::codes::request as code;
use mqcontainer::protocol::command::{Command, ExtFields};
use mqcontainer::protocol::headers::{
    client, group_admin, namesrv, offset, pull, query, send, stats_admin, topic_admin,
};

use crate::golden::Golden;

/// Fields that belong to no header struct: hooks, and marks a broker adds to every answer of a send.
const OUTSIDE: [&str; 5] = ["ReqT", "bname", "lo", "MSG_REGION", "TRACE_ON"];

/// Decodes the typed header and writes it again; decoding that once more must give the same header.
macro_rules! again {
    ($header:ty, $ext:expr) => {{
        let header = <$header>::decode($ext).map_err(|error| error.to_string());
        header.map(|header| {
            let mut again = ExtFields::default();
            header.encode(&mut again);
            assert_eq!(<$header>::decode(&again), Ok(header));
            again
        })
    }};
}

pub(crate) fn check(golden: &Golden, command: &Command) {
    let name = &golden.name;
    let again = match golden.response {
        None => request(golden.request, &command.ext),
        Some(0) => response(golden.request, &command.ext),
        // Of the answers that are no success only those of a pull carry a header, and not all of those do.
        Some(19..=21) => response(golden.request, &command.ext),
        Some(_) => return,
    };
    let again = again.unwrap_or_else(|error| panic!("{name}: {error}"));
    for (field, value) in command.ext.iter() {
        if !OUTSIDE.contains(&field) {
            assert_eq!(again.get(field), Some(value), "{name}: {field}");
        }
    }
}

fn request(request: i32, ext: &ExtFields) -> Result<ExtFields, String> {
    match request {
        code::SEND_MESSAGE_V2 | code::SEND_BATCH_MESSAGE => send_v2(ext),
        code::CONSUMER_SEND_MSG_BACK => again!(send::SendBackRequest<'_>, ext),
        code::PULL_MESSAGE | code::LITE_PULL_MESSAGE => again!(pull::PullRequest<'_>, ext),
        code::QUERY_MESSAGE => again!(query::QueryMessageRequest<'_>, ext),
        code::VIEW_MESSAGE_BY_ID => again!(query::ViewMessageRequest<'_>, ext),
        code::QUERY_CONSUMER_OFFSET => again!(offset::QueryConsumerOffsetRequest<'_>, ext),
        code::UPDATE_CONSUMER_OFFSET => again!(offset::UpdateConsumerOffsetRequest<'_>, ext),
        code::SEARCH_OFFSET_BY_TIMESTAMP => again!(offset::SearchOffsetRequest<'_>, ext),
        code::GET_MAX_OFFSET => again!(offset::MaxOffsetRequest<'_>, ext),
        code::GET_MIN_OFFSET | code::GET_EARLIEST_MSG_STORETIME => again!(offset::QueueRequest<'_>, ext),
        code::UNREGISTER_CLIENT => again!(client::UnregisterClientRequest<'_>, ext),
        code::GET_CONSUMER_LIST_BY_GROUP | code::NOTIFY_CONSUMER_IDS_CHANGED | code::GET_CONSUMER_CONNECTION_LIST => {
            again!(client::ConsumerGroupRequest<'_>, ext)
        }
        code::GET_CONSUMER_RUNNING_INFO => again!(client::ConsumerRunningInfoRequest<'_>, ext),
        code::CONSUME_MESSAGE_DIRECTLY => again!(client::ConsumeDirectlyRequest<'_>, ext),
        code::UPDATE_AND_CREATE_TOPIC => again!(topic_admin::CreateTopicRequest<'_>, ext),
        code::GET_TOPIC_STATS_INFO | code::DELETE_TOPIC_IN_BROKER | code::QUERY_TOPIC_CONSUME_BY_WHO => {
            again!(topic_admin::TopicRequest<'_>, ext)
        }
        code::GET_TOPIC_CONFIG => again!(topic_admin::TopicConfigRequest<'_>, ext),
        _ => admin_request(request, ext),
    }
}

fn admin_request(request: i32, ext: &ExtFields) -> Result<ExtFields, String> {
    match request {
        code::DELETE_SUBSCRIPTIONGROUP => again!(group_admin::DeleteGroupRequest<'_>, ext),
        code::GET_CONSUME_STATS => again!(group_admin::ConsumeStatsRequest<'_>, ext),
        code::GET_PRODUCER_CONNECTION_LIST => again!(group_admin::ProducerGroupRequest<'_>, ext),
        code::INVOKE_BROKER_TO_RESET_OFFSET => again!(group_admin::ResetOffsetRequest<'_>, ext),
        code::VIEW_BROKER_STATS_DATA => again!(stats_admin::BrokerStatsRequest<'_>, ext),
        code::GET_BROKER_CONSUME_STATS => again!(stats_admin::BrokerConsumeStatsRequest, ext),
        code::GET_ROUTEINFO_BY_TOPIC => again!(namesrv::RouteRequest<'_>, ext),
        code::REGISTER_BROKER => again!(namesrv::RegisterBrokerRequest<'_>, ext),
        code::UNREGISTER_BROKER => again!(namesrv::BrokerRequest<'_>, ext),
        code::DELETE_TOPIC_IN_NAMESRV => again!(namesrv::DeleteTopicRequest<'_>, ext),
        code::WIPE_WRITE_PERM_OF_BROKER | code::ADD_WRITE_PERM_OF_BROKER => {
            again!(namesrv::BrokerNameRequest<'_>, ext)
        }
        code::PUT_KV_CONFIG => again!(namesrv::PutKvRequest<'_>, ext),
        code::GET_KV_CONFIG | code::DELETE_KV_CONFIG => again!(namesrv::KvRequest<'_>, ext),
        _ => Ok(ExtFields::default()),
    }
}

fn response(request: i32, ext: &ExtFields) -> Result<ExtFields, String> {
    match request {
        code::SEND_MESSAGE_V2 | code::SEND_BATCH_MESSAGE => again!(send::SendResponse<'_>, ext),
        code::PULL_MESSAGE | code::LITE_PULL_MESSAGE => again!(pull::PullResponse, ext),
        code::QUERY_MESSAGE => again!(query::QueryMessageResponse, ext),
        code::QUERY_CONSUMER_OFFSET
        | code::SEARCH_OFFSET_BY_TIMESTAMP
        | code::GET_MAX_OFFSET
        | code::GET_MIN_OFFSET => again!(offset::OffsetResponse, ext),
        code::GET_EARLIEST_MSG_STORETIME => again!(offset::EarliestStoreTimeResponse, ext),
        code::HEART_BEAT => again!(client::HeartbeatResponse, ext),
        code::REGISTER_BROKER => again!(namesrv::RegisterBrokerResponse<'_>, ext),
        code::WIPE_WRITE_PERM_OF_BROKER => again!(namesrv::WipeWritePermResponse, ext),
        code::ADD_WRITE_PERM_OF_BROKER => again!(namesrv::AddWritePermResponse, ext),
        code::GET_KV_CONFIG => again!(namesrv::KvResponse<'_>, ext),
        _ => Ok(ExtFields::default()),
    }
}

/// The short names, which [`send::SendRequest::encode`] does not write.
fn send_v2(ext: &ExtFields) -> Result<ExtFields, String> {
    let header = send::SendRequest::decode(ext).map_err(|error| error.to_string())?;
    let mut again = ExtFields::default();
    header.encode_v2(&mut again);
    assert_eq!(send::SendRequest::decode(&again), Ok(header));
    Ok(again)
}
