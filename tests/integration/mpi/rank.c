/* An MPI program for tests and benchmarks; its first argument says what the ranks do:
 *
 *     hello             each prints its rank, host, network namespace and the sum of all ranks
 *     exchange MB       each sends so much to the next and checks what it gets
 *     exit CODE         all end with the code
 *     die RANK          that rank is killed; the others wait for it for ever
 *     wait              all wait for ever
 *     cat               rank 0 copies its standard input
 *     pingpong BYTES N  microseconds a round trip between ranks 0 and 1
 *     allreduce COUNT N microseconds an allreduce of so many doubles, whose sum is checked
 *     compute N         milliseconds for N rounds of arithmetic and one allreduce */
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int rank, ranks;

static void hello(void) {
    char host[256];
    struct stat net;
    long mine = rank, sum = 0;
    gethostname(host, sizeof host);
    stat("/proc/self/ns/net", &net);
    MPI_Allreduce(&mine, &sum, 1, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    printf("rank %d of %d on %s in %lu, sum %ld\n", rank, ranks, host, (unsigned long)net.st_ino, sum);
}

static int exchange(int megabytes) {
    const int size = 1 << 20;
    char *out = malloc(size), *in = malloc(size);
    for (int i = 0; i < megabytes; ++i) {
        memset(out, 'a' + (rank + i) % 26, size);
        MPI_Sendrecv(out, size, MPI_CHAR, (rank + 1) % ranks, i, in, size, MPI_CHAR, (rank + ranks - 1) % ranks, i,
                     MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        const char expected = 'a' + ((rank + ranks - 1) % ranks + i) % 26;
        if (in[0] != expected || in[size - 1] != expected) {
            printf("rank %d got what was not sent\n", rank);
            return 1;
        }
    }
    printf("rank %d exchanged %d MB\n", rank, megabytes);
    return 0;
}

static void pingpong(int bytes, int rounds) {
    char *buffer = calloc(1, bytes);
    double start = 0;
    for (int i = -rounds / 10; i < rounds; ++i) {
        if (i == 0) start = MPI_Wtime();
        if (rank == 0) MPI_Send(buffer, bytes, MPI_CHAR, 1, 0, MPI_COMM_WORLD);
        if (rank < 2) MPI_Recv(buffer, bytes, MPI_CHAR, 1 - rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (rank == 1) MPI_Send(buffer, bytes, MPI_CHAR, 0, 0, MPI_COMM_WORLD);
    }
    if (rank == 0) printf("%.3f\n", (MPI_Wtime() - start) / rounds * 1e6);
}

static int allreduce(int count, int rounds) {
    double *in = malloc(count * sizeof *in), *out = malloc(count * sizeof *out), start = 0;
    for (int i = 0; i < count; ++i) in[i] = rank + i;
    for (int i = -rounds / 10; i < rounds; ++i) {
        if (i == 0) start = MPI_Wtime();
        MPI_Allreduce(in, out, count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    }
    const double took = MPI_Wtime() - start;
    for (int i = 0; i < count; ++i) {
        if (out[i] != ranks * (ranks - 1) / 2.0 + (double)ranks * i) return 1;
    }
    if (rank == 0) printf("%.3f\n", took / rounds * 1e6);
    return 0;
}

static void compute(long rounds) {
    const double start = MPI_Wtime();
    double x = rank + 1, sum = 0;
    for (long i = 0; i < rounds; ++i) x = x * 0.999999 + 0.5 / x;
    MPI_Allreduce(&x, &sum, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0) printf("%.3f\n", sum > 0 ? (MPI_Wtime() - start) * 1e3 : -1);
}

/* With UCX 1.13 over TCP, MPI_Finalize may hang under any launcher when more than two ranks have talked (openucx/ucx#8738).
 * So these end without it, once all are through, but with the good-bye that Hydra waits for. MPI_FINALIZE=1 ends as the
 * standard has it. */
static void leave(int code) {
    static const char bye[] = "cmd=finalize\n";
    char answer[256];
    const char *pmi = getenv("PMI_FD");
    fflush(stdout);
    MPI_Barrier(MPI_COMM_WORLD);
    if (getenv("MPI_FINALIZE") || !pmi) MPI_Finalize();
    else if (write(atoi(pmi), bye, sizeof bye - 1) < 0 || read(atoi(pmi), answer, sizeof answer) < 0) code = 1;
    _exit(code);
}

int main(int argc, char **argv) {
    int code = 0;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    const char *what = argc > 1 ? argv[1] : "hello";
    const int first = argc > 2 ? atoi(argv[2]) : 0, second = argc > 3 ? atoi(argv[3]) : 0;
    if (!strcmp(what, "hello")) hello();
    else if (!strcmp(what, "exchange")) code = exchange(first);
    else if (!strcmp(what, "exit")) code = first;
    else if (!strcmp(what, "pingpong")) pingpong(first, second);
    else if (!strcmp(what, "allreduce")) code = allreduce(first, second);
    else if (!strcmp(what, "compute")) compute(first);
    else if (!strcmp(what, "cat")) {
        char line[4096];
        while (rank == 0 && fgets(line, sizeof line, stdin)) fputs(line, stdout);
    } else {
        MPI_Barrier(MPI_COMM_WORLD);
        if (rank == 0) printf("all wait\n"), fflush(stdout);
        if (!strcmp(what, "die") && rank == first) raise(SIGKILL);
        for (;;) pause();
    }
    leave(code);
}
