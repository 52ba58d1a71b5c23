import java.io.IOException;
import java.util.Map;

/** javac -d out *.java && java -cp out Main: the handlers are examples, to be replaced by yours. */
public final class Main {
    public static void main(String[] arguments) throws IOException {
        Map<String, Executor.Handler> handlers = Map.of(
            "hello", Executor.simple(new HelloJob()),
            "result", task -> Map.of("message", "greeted", "result", "hello " + task.text("itemParameter")),
            // Says that there is more to do: with repeatWhileContinue the item is run again.
            "more", task -> Map.of("continue", true),
            "fail", task -> { throw new IllegalStateException("the disk is full"); },
            "sleep", task -> {
                task.progress(50, "sleeping " + task.text("parameter") + " s");
                Thread.sleep((long) (Double.parseDouble(task.text("parameter")) * 1000));
                return Map.of();
            });
        Map<String, String> environment = System.getenv();
        int capacity = Integer.parseInt(environment.getOrDefault("EXECUTOR_CAPACITY", "10"));
        Executor executor = new Executor(handlers, environment.getOrDefault("EXECUTOR_TOKEN", ""), capacity);
        int port = Integer.parseInt(environment.getOrDefault("EXECUTOR_PORT", "9900"));
        System.out.println("listening on " + ExecutorServer.serve(executor, environment.getOrDefault("EXECUTOR_HOST", "0.0.0.0"), port));
    }
}
