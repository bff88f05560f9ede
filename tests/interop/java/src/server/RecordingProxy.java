import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.common.MQVersion;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/**
 * Stands between clients and servers and keeps one frame of each kind.
 *
 * <pre>java -cp CP RecordingProxy directory port ...</pre>
 *
 * Listens on 127.0.0.1:port and forwards to 127.0.0.2:port, where a stock server with bindAddress=127.0.0.2 listens;
 * so no address inside a frame has to be rewritten. A file holds one whole frame with its length:
 * VERSION-json|binary-CODE-request.bin, or -response.bin for code 0 and -response-N.bin for another response code N.
 * VERSION is that of the sender, CODE always that of the request. The smallest frame that still has all the
 * optional parts (most ext fields, then a body) is kept.
 */
public final class RecordingProxy {
    private static final int MAX_FILE = 6 * 1024;

    private final Path directory;
    private final Map<String, long[]> best = new ConcurrentHashMap<>();

    private RecordingProxy(Path directory) {
        this.directory = directory;
    }

    public static void main(String[] args) throws Exception {
        RecordingProxy proxy = new RecordingProxy(Path.of(args[0]));
        Files.createDirectories(proxy.directory);
        for (int i = 1; i < args.length; i++) {
            int port = Integer.parseInt(args[i]);
            ServerSocket server = new ServerSocket(port, 1024, InetAddress.getByName("127.0.0.1"));
            new Thread(() -> proxy.accept(server, port)).start();
        }
    }

    private void accept(ServerSocket server, int port) {
        while (true) {
            try {
                Socket client = server.accept();
                Socket peer = new Socket();
                peer.connect(new InetSocketAddress("127.0.0.2", port));
                client.setTcpNoDelay(true);
                peer.setTcpNoDelay(true);
                Map<Integer, Integer> fromClient = new ConcurrentHashMap<>();
                Map<Integer, Integer> fromPeer = new ConcurrentHashMap<>();
                new Thread(() -> copy(client, peer, fromClient, fromPeer)).start();
                new Thread(() -> copy(peer, client, fromPeer, fromClient)).start();
            } catch (IOException e) {
                System.out.println("no connection to 127.0.0.2:" + port + ": " + e);
            }
        }
    }

    /** Copies frames one way. Requests are noted in sent by opaque; responses belong to a request in answered. */
    private void copy(Socket from, Socket to, Map<Integer, Integer> sent, Map<Integer, Integer> answered) {
        try (from; to) {
            DataInputStream in = new DataInputStream(from.getInputStream());
            OutputStream out = to.getOutputStream();
            while (true) {
                int length = in.readInt();
                byte[] frame = new byte[4 + length];
                java.nio.ByteBuffer.wrap(frame).putInt(length);
                in.readFully(frame, 4, length);
                record(frame, sent, answered);
                out.write(frame);
            }
        } catch (EOFException | SocketException e) {
            // One side has closed: so does the other.
        } catch (Exception e) {
            e.printStackTrace(System.out);
        }
    }

    private void record(byte[] frame, Map<Integer, Integer> sent, Map<Integer, Integer> answered) throws Exception {
        RemotingCommand command = RemotingCommand.decode(java.nio.ByteBuffer.wrap(frame, 4, frame.length - 4).slice());
        String version = MQVersion.getVersionDesc(command.getVersion()).replace("V", "").replace('_', '.');
        String kind = "request";
        int code = command.getCode();
        if (command.isResponseType()) {
            kind = code == 0 ? "response" : "response-" + code;
            Integer request = answered.remove(command.getOpaque());
            if (request == null) {
                return;
            }
            code = request;
        } else if (!command.isOnewayRPC()) {
            sent.put(command.getOpaque(), code);
        }
        String form = frame[4] == 0 ? "json" : "binary";
        keep(version + "-" + form + "-" + code + "-" + kind + ".bin", command, frame);
    }

    private synchronized void keep(String name, RemotingCommand command, byte[] frame) throws IOException {
        int fields = command.getExtFields() == null ? 0 : command.getExtFields().size();
        long[] rank = {fields, command.getBody() == null || command.getBody().length == 0 ? 0 : 1, -frame.length};
        long[] old = best.get(name);
        if (frame.length > MAX_FILE || old != null && java.util.Arrays.compare(old, rank) >= 0) {
            return;
        }
        best.put(name, rank);
        Files.write(directory.resolve(name), frame);
    }
}
