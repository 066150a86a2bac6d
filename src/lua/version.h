/* The version of raia, as raia._VERSION and the User-Agent say it. */
#ifndef RAIA_VERSION_H
#define RAIA_VERSION_H

#define RAIA_VERSION "0.1.0"

#endif
