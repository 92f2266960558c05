// The workloads of bench/README.md on Java: virtual threads.
//
//   java Main WORKLOAD N
//   java Main --version

import java.time.Duration;
import java.util.ArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

public final class Main {
  private static final Duration FOR_EVER = Duration.ofHours(1);
  private static final Duration AT_ONCE = Duration.ofMillis(1);
  private static final int REQUEST_SIZE = 1024;
  private static final int CHURN_ALIVE = 100_000;
  private static final int CHURN_ROUND = 1_000;

  private static final AtomicLong parked = new AtomicLong();
  private static final LongAdder checksum = new LongAdder();

  private interface Work {
    void run() throws InterruptedException;
  }

  // Sleeps, and counts the tasks when they are suspended.
  private static void pause(Duration length) throws InterruptedException {
    if (length == FOR_EVER) parked.incrementAndGet();
    Thread.sleep(length);
  }

  // --- handler

  // InputStream.read: it needs the buffer before there is anything to read.
  private static int read(byte[] buffer, Duration untilArrival) throws InterruptedException {
    pause(untilArrival);
    java.util.Arrays.fill(buffer, 0, REQUEST_SIZE, (byte) 7);
    return REQUEST_SIZE;
  }

  private static long keyOf(byte[] request, int size) {
    long key = 0;
    for (int i = 0; i < size; ++i) key = key * 31 + request[i];
    return key;
  }

  private static long query(long key, Duration latency) throws InterruptedException {
    pause(latency);
    return key * 31 + 7;
  }

  private static byte[] buildResponse(long row, byte id) {
    byte[] response = new byte[2048];
    response[0] = id;
    for (int i = 1; i < REQUEST_SIZE; ++i) response[i] = (byte) (row >> (i % 8 * 8));
    return response;
  }

  private static void write(byte[] response) throws InterruptedException {
    pause(AT_ONCE);
    checksum.add(response[REQUEST_SIZE - 1]);
  }

  private static void handler(Duration untilArrival, Duration latency) throws InterruptedException {
    byte[] request = new byte[4096];
    int size = read(request, untilArrival);
    long row = query(keyOf(request, size), latency);
    byte[] response = buildResponse(row, request[0]);
    write(response);
  }

  private static void trimmedHandler(Duration untilArrival, Duration latency) throws InterruptedException {
    byte[] request = new byte[4096];
    int size = read(request, untilArrival);
    long key = keyOf(request, size);
    byte id = request[0];
    request = null;
    long row = query(key, latency);
    byte[] response = buildResponse(row, id);
    write(response);
  }

  // --- nested

  private static long nested(int level, long value, Duration atLeaf) throws InterruptedException {
    if (level == 1) {
      pause(atLeaf);
      return value;
    }
    return value + nested(level - 1, value + 1, atLeaf);
  }

  private static void nestedTask(Duration atTop, Duration atLeaf) throws InterruptedException {
    if (atTop == FOR_EVER) pause(atTop);
    checksum.add(nested(8, 1, atLeaf));
  }

  // --- churn

  private static void churn(int n) throws InterruptedException {
    long start = System.nanoTime();
    for (int done = 0; done < n; done += CHURN_ROUND) {
      int end = Math.min(n, done + CHURN_ROUND);
      var round = new CountDownLatch(end - done);
      for (int i = done; i < end; ++i) {
        int task = i;
        Thread.startVirtualThread(() -> {
          Thread.yield();
          checksum.add(task);
          round.countDown();
        });
      }
      round.await();
    }
    say("seconds=" + (System.nanoTime() - start) / 1e9);
  }

  // --- the program

  private static void say(String line) {
    System.out.println(line);
    System.out.flush();
  }

  private static Work taskOf(String workload) {
    return switch (workload) {
      case "empty", "churn" -> () -> pause(FOR_EVER);
      case "handler-at-read" -> () -> handler(FOR_EVER, AT_ONCE);
      case "handler-at-query" -> () -> handler(AT_ONCE, FOR_EVER);
      case "trimmed-at-read" -> () -> trimmedHandler(FOR_EVER, AT_ONCE);
      case "trimmed-at-query" -> () -> trimmedHandler(AT_ONCE, FOR_EVER);
      case "nested-at-leaf" -> () -> nestedTask(AT_ONCE, FOR_EVER);
      case "nested-at-top" -> () -> nestedTask(FOR_EVER, AT_ONCE);
      default -> null;
    };
  }

  public static void main(String[] arguments) throws InterruptedException {
    if (arguments.length == 1 && arguments[0].equals("--version")) {
      say(String.valueOf(Runtime.version().feature()) + "." + Runtime.version().interim() + "." + Runtime.version().update());
      return;
    }
    Work task = arguments.length == 2 ? taskOf(arguments[0]) : null;
    if (task == null || !arguments[1].matches("[0-9]{1,9}")) {
      System.err.println("usage: java Main WORKLOAD N");
      System.exit(2);
    }
    boolean churning = arguments[0].equals("churn");
    int n = Integer.parseInt(arguments[1]);
    int count = churning ? CHURN_ALIVE : n;
    var all = new ArrayList<Thread>(count);
    long start = System.nanoTime();
    for (int i = 0; i < count; ++i) {
      all.add(Thread.startVirtualThread(() -> {
        try {
          task.run();
        } catch (InterruptedException ended) {
          Thread.currentThread().interrupt();
        }
      }));
    }
    while (parked.get() < count) Thread.sleep(AT_ONCE);
    say("spawn_seconds=" + (System.nanoTime() - start) / 1e9);
    if (churning) churn(n);
    System.gc(); // garbage is not part of the weight of the tasks
    say("READY");
    for (Thread one : all) one.join();
  }
}
