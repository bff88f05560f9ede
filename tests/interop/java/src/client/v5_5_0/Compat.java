import java.util.Set;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.common.message.MessageClientExt;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** What differs between the client API of 5.5.0 and that of 4.9.8. */
final class Compat {
    static void broadcasting(DefaultMQPushConsumer consumer) {
        consumer.setMessageModel(MessageModel.BROADCASTING);
    }

    /** The offset message id of a received message (its getMsgId() is the unique key). */
    static String offsetId(MessageExt message) {
        return ((MessageClientExt) message).getOffsetMsgId();
    }

    static void deleteTopicInNameServer(DefaultMQAdminExt admin, String namesrv, String topic) throws Exception {
        admin.deleteTopicInNameServer(Set.of(namesrv), "DefaultCluster", topic);
    }
}
