/** A job as it was written for ElasticJob: nothing in it knows of its new surroundings. */
public final class HelloJob implements SimpleJob {
    @Override
    public void execute(ShardingContext context) {
        System.out.printf("%s: item %d of %d (%s): %s%n", context.getJobName(), context.getShardingItem(),
            context.getShardingTotalCount(), context.getShardingParameter(), context.getJobParameter());
    }
}
