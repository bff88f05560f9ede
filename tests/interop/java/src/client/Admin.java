import java.util.TreeSet;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;

/** What an administrator does to running clients. */
final class Admin {
    static void register(Scenarios s) {
        s.add("admin.reset_offset", Admin::resetOffset);
        s.add("admin.connections", Admin::connections);
        s.add("admin.consume_stats", Admin::consumeStats);
        s.add("admin.running_info", Admin::runningInfo);
        s.add("admin.consumer_status", Admin::consumerStatus);
        s.add("admin.delete_topic", Admin::deleteTopic);
    }

    /** Code 222 makes the broker send code 220 to the consumers of the group, which then read again. */
    private static void resetOffset(Env env) throws Exception {
        String topic = env.topic("reset", 2);
        String group = env.unique("g-reset");
        Received received = new Received();
        received.start(env.push(group), topic, "*");
        env.sendMany(topic, "x", 20);
        env.eventually("20 received", 60, () -> received.count() == 20);
        Thread.sleep(50);
        long since = System.currentTimeMillis();
        Thread.sleep(50);
        env.sendMany(topic, "y", 20);
        env.eventually("20 more received", 60, () -> received.count() == 40);
        var offsets = env.admin.resetOffsetByTimestamp(topic, group, since, true);
        env.equal("queues reset", 2 * env.masters().size(), offsets.size());
        env.eventually("20 received again", 90, () -> received.count() >= 60);
        TreeSet<String> again = new TreeSet<>(Env.bodies(received.snapshot().subList(40, received.count())));
        env.equal("those since the time", Send.expected("y", 20), again);
    }

    private static int online(Env env, String group) throws Exception {
        try {
            return env.admin.examineConsumerConnectionInfo(group).getConnectionSet().size();
        } catch (MQBrokerException e) {
            return -e.getResponseCode();
        }
    }

    private static void connections(Env env) throws Exception {
        String topic = env.topic("connections", 2);
        String group = env.unique("g-connections");
        Received received = new Received();
        DefaultMQPushConsumer one = received.start(env.push(group), topic, "a || b");
        DefaultMQPushConsumer two = received.start(env.push(group), topic, "a || b");
        env.eventually("two members", 60, () -> online(env, group) == 2);
        var connection = env.admin.examineConsumerConnectionInfo(group);
        env.equal("consume type", "CONSUME_PASSIVELY", connection.getConsumeType().name());
        env.equal("model", "CLUSTERING", connection.getMessageModel().name());
        env.equal("from where", "CONSUME_FROM_FIRST_OFFSET", connection.getConsumeFromWhere().name());
        env.equal("subscription", "a || b", connection.getSubscriptionTable().get(topic).getSubString());
        env.that("subscription to the retry topic", connection.getSubscriptionTable().containsKey("%RETRY%" + group));
        for (var member : connection.getConnectionSet()) {
            env.that("member " + member.getClientId() + " " + member.getLanguage(), member.getClientId().startsWith("127.0.0.1@push-"));
        }
        one.shutdown();
        env.equal("one member at once after the other left", 1, online(env, group));
        two.shutdown();
        env.equal("no member left", -206, online(env, group));
    }

    private static void consumeStats(Env env) throws Exception {
        String topic = env.topic("stats", 2);
        String group = env.unique("g-stats");
        env.sendMany(topic, "x", 10);
        Received received = new Received();
        DefaultMQPushConsumer consumer = received.start(env.push(group), topic, "*");
        env.eventually("10 received", 60, () -> received.count() == 10);
        env.eventually("no lag after the offsets are committed", 30,
            () -> env.admin.examineConsumeStats(group, topic).computeTotalDiff() == 0);
        consumer.shutdown();
        env.sendMany(topic, "y", 7);
        env.equal("lag", 7L, env.admin.examineConsumeStats(group, topic).computeTotalDiff());
    }

    /** Code 307 goes through the broker to the client and back. */
    private static void runningInfo(Env env) throws Exception {
        String topic = env.topic("running", 2);
        String group = env.unique("g-running");
        Received received = new Received();
        DefaultMQPushConsumer consumer = received.start(env.push(group), topic, "*");
        env.eventually("a member", 60, () -> online(env, group) == 1);
        String id = consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().getClientId();
        var info = env.admin.getConsumerRunningInfo(group, id, false);
        env.that("subscription of " + id, info.getSubscriptionSet().stream().anyMatch(s -> s.getTopic().equals(topic)));
        env.sendMany(topic, "x", 1);
        env.eventually("received", 60, () -> received.count() == 1);
        var sent = received.snapshot().get(0);
        var result = env.admin.consumeMessageDirectly(group, id, topic, Compat.offsetId(sent));
        env.equal("consumed directly", "CR_SUCCESS", result.getConsumeResult().name());
        env.equal("received again", 2, received.count());
    }

    /** Code 223 makes the broker ask the consumers of the group with code 221; their answers come back as one. */
    private static void consumerStatus(Env env) throws Exception {
        String topic = env.topic("status", 2);
        String group = env.unique("g-status");
        Received received = new Received();
        DefaultMQPushConsumer consumer = received.start(env.push(group), topic, "*");
        String id = consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().getClientId();
        env.sendMany(topic, "x", 10);
        env.eventually("10 received", 60, () -> received.count() == 10);
        env.eventually("progress of " + id, 30, () -> {
            var progress = env.admin.getConsumeStatus(topic, group, "").get(id);
            return progress != null && progress.values().stream().mapToLong(offset -> offset).sum() == 10;
        });
        env.equal("only that client", java.util.Set.of(id), env.admin.getConsumeStatus(topic, group, id).keySet());
        env.equal("no other client", java.util.Set.of(), env.admin.getConsumeStatus(topic, group, "nobody").keySet());
        consumer.shutdown();
    }

    private static void deleteTopic(Env env) throws Exception {
        String topic = env.topic("delete", 2);
        env.sendMany(topic, "x", 4);
        env.admin.deleteTopicInBroker(new TreeSet<>(env.masters().values()), topic);
        Compat.deleteTopicInNameServer(env.admin, env.shared.namesrv, topic);
        env.eventually("route gone", 60, () -> {
            try {
                return env.admin.examineTopicRouteInfo(topic).getBrokerDatas().isEmpty();
            } catch (MQClientException e) {
                return e.getResponseCode() == 17;
            }
        });
    }
}
