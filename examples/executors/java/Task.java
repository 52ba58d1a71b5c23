import java.util.Map;
import java.util.concurrent.CountDownLatch;

/** What a handler is given: the fields of the request, and a place to tell its progress. */
public final class Task {
    public final String id;
    public final Map<String, Object> request;
    final CountDownLatch ended = new CountDownLatch(1);
    volatile Map<String, Object> news = Map.of();
    volatile Map<String, Object> end;
    volatile boolean cancelled;
    volatile Thread thread;

    Task(String id, Map<String, Object> request) {
        this.id = id;
        this.request = request;
    }

    public String text(String field) {
        return String.valueOf(request.getOrDefault(field, ""));
    }

    public int number(String field) {
        return ((Number) request.get(field)).intValue();
    }

    public void progress(int percent, String message) {
        news = Map.of("progress", percent, "message", message);
    }
}
