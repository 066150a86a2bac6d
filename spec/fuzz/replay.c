/* Gives a target the files named as arguments and every beginning of each, by
   any compiler: so the corpora are regression tests where there is no
   libFuzzer. */
#include "fuzz.h"

static const size_t short_enough = 512; /* bytes, to try every beginning */

int main(int argc, char **argv) {
  size_t inputs = 0;
  for (int i = 1; i < argc; i++) {
    static uint8_t all[1 << 20];
    FILE *file = fopen(argv[i], "rb");
    CHECK(file != NULL);
    size_t size = fread(all, 1, sizeof all, file);
    fclose(file);
    for (size_t n = size < short_enough ? 0 : size; n <= size; n++) {
      uint8_t *exact = malloc(n + 1); /* one more: malloc(0) may be NULL */
      CHECK(exact != NULL);
      memcpy(exact, all, n);
      LLVMFuzzerTestOneInput(exact, n);
      free(exact);
      inputs++;
    }
  }
  printf("%zu inputs\n", inputs);
  return 0;
}
