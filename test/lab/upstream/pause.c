/* What keeps a pod's namespaces: reaps orphans, ends on SIGINT or SIGTERM; `-v` tells the version and succeeds. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(int signal) { (void)signal; _exit(0); }

static void reap(int signal) { (void)signal; while (waitpid(-1, NULL, WNOHANG) > 0) ; }

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "-v") == 0) { puts("pause.c " VERSION); return 0; }
  signal(SIGINT, end);
  signal(SIGTERM, end);
  signal(SIGCHLD, reap);
  for (;;) pause();
}
