import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.message.MessageExt;

/** Everything a consumer (or several) was handed, in order. */
final class Received {
    final List<MessageExt> messages = Collections.synchronizedList(new ArrayList<>());

    /** A listener that keeps every message and says success. */
    MessageListenerConcurrently listener() {
        return (list, context) -> {
            messages.addAll(list);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        };
    }

    DefaultMQPushConsumer start(DefaultMQPushConsumer consumer, String topic, String expression) throws Exception {
        consumer.subscribe(topic, expression);
        consumer.registerMessageListener(listener());
        consumer.start();
        return consumer;
    }

    int count() {
        return messages.size();
    }

    List<MessageExt> snapshot() {
        synchronized (messages) {
            return List.copyOf(messages);
        }
    }

    TreeSet<String> distinct() {
        return snapshot().stream().map(Env::body).collect(Collectors.toCollection(TreeSet::new));
    }

    int duplicates() {
        return count() - distinct().size();
    }
}
