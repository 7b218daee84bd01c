//! The programs that a fuzzer has found worth keeping, on pools of two sizes: see `verify/fuzzing/`.

mod common;
mod everything;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::watched;
use hatchery::Pool;

#[test]
fn the_programs_of_the_corpus_do_what_they_may() {
    let build = |threads| Arc::new(Pool::builder().threads(threads).build().unwrap());
    let [one, two] = [1, 2].map(build);
    // Other packages of this repository run these tests, too.
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let corpus = |package: &Path| fs::read_dir(package.join("verify/fuzzing/corpus/programs"));
    let corpus = packages.flat_map(corpus).next();
    let corpus = corpus.expect("the corpus is part of the repository");
    let mut count = 0;
    for file in corpus {
        let file = file.unwrap().path();
        let program = everything::program(&fs::read(&file).unwrap());
        watched(&two, || {
            for (pool, other) in [(&one, &two), (&two, &one)] {
                let result = everything::check(pool, other, &program);
                result.unwrap_or_else(|wrong| panic!("{}: {wrong}\n{program}", file.display()));
            }
        });
        count += 1;
    }
    println!("corpus: {count} programs on each of 2 pools");
    assert!(count >= 24, "{count} programs are too few to be all");
}
