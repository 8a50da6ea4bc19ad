//! What may point to what, by tables.
//!
//! The rows called A and M are those of upstream's own tests of its validators of Shoots. Where the verdict here is another on purpose:
//!
//! | row | upstream | here | why |
//! | --- | --- | --- | --- |
//! | A1, A8, M1 | another kind of object is refused | such a request does not come | the rule looks at four kinds only |
//! | A5, A10, M5, M8 | a configuration that cannot be decoded is refused | nothing is said of it | upstream says it itself; and a Shoot that has one must not be kept from being mended |
//! | A9 | a Shoot that had no configuration is refused, even when it gets one | the new one is judged | as before |
//! | A18 to A21 | a function is tested that finds an extension | none of its rows is a request | |
//! | M4, M7 | of two webhooks each says that a cache has no configuration | it is said once | there is one review |
//! | M10 to M15 | a mirror is judged at every update | when it is new or changed, or its Secrets are others | who changes something else need not mend it first |
//! | G1 | other Secrets behind the same names are not looked at | they are | that is how credentials are rotated |
//! | G2 | a Secret that is being deleted passes | it is refused | it will go, and nothing can stop that |
//! | G3 | a Secret that is created anew is not looked at | nor here | who writes Secrets is asked by other rules |
//! | G4 | a Shoot with a version that is not served any more cannot be mended | it can | as A10 |
//! | G5 | an empty name of a reference is looked for, and not found | it refers to nothing | Kubernetes knows no difference between empty and absent |

mod judgement;
mod objects;
mod offline;
mod properties;
mod scene;
mod updates;
mod upstream;
