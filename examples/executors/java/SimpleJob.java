/** What a job of ElasticJob implements: one call for one item. */
public interface SimpleJob {
    void execute(ShardingContext context);
}
